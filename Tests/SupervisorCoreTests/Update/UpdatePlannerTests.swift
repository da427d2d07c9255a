import Testing

@testable import SupervisorCore

struct UpdatePlannerTests {
    static let key = ServiceKey(app: AppID(1), service: "main")

    /// A short way to write a container: "a" has the digest that the target wants.
    static func container(
        _ id: String,
        _ digest: String = "a",
        _ state: ContainerState = .running,
        _ key: ServiceKey = key
    ) -> CurrentState.Instance {
        .init(id: id, key: key, commit: "c", digest: digest, image: "img", imageID: "", state: state)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var instances: [CurrentState.Instance] = []
        var imageIsThere = true
        var isHalted = false
        var startsEverything = false
        var hasRun = false
        var running = true
        var strategy = UpdateStrategy.downloadThenKill
        var restart = ContainerSpecification.RestartPolicy.always
        var downloads: [UpdateStep] = []
        var disruptions: [UpdateStep] = []
        var additions: [UpdateStep] = []

        var testDescription: String { name }
    }

    static let install = UpdateStep.install(key)
    static let download = UpdateStep.download(key, image: "img")
    static func start(_ id: String) -> UpdateStep { .start(key, container: id) }
    static func replace(_ ids: String..., by successor: String? = nil) -> UpdateStep {
        .replace(key, successor: successor, containers: ids)
    }
    static func retire(_ ids: String...) -> UpdateStep { .retire(key, containers: ids) }
    static func remove(_ ids: String...) -> UpdateStep { .remove(key, containers: ids) }

    static let cases: [Case] = [
        // Nothing there.
        Case(name: "absent with its image", additions: [install]),
        Case(name: "absent without its image", imageIsThere: false, downloads: [download]),
        Case(name: "absent and not to run: made, not started", running: false, additions: [install]),
        Case(
            name: "absent without its image, kill-then-download",
            imageIsThere: false,
            strategy: .killThenDownload,
            downloads: [download]
        ),
        // As wanted.
        Case(name: "running as wanted", instances: [container("x")]),
        Case(name: "as wanted, image gone meanwhile", instances: [container("x")], imageIsThere: false),
        Case(name: "paused by a user", instances: [container("x", "a", .paused)]),
        Case(name: "the engine restarts it", instances: [container("x", "a", .restarting)]),
        // Another definition.
        Case(name: "older, image there", instances: [container("x", "b")], disruptions: [replace("x")]),
        Case(
            name: "older, image missing: downloaded while it runs",
            instances: [container("x", "b")],
            imageIsThere: false,
            downloads: [download]
        ),
        Case(
            name: "older, image missing, kill-then-download: stopped first",
            instances: [container("x", "b")],
            imageIsThere: false,
            strategy: .killThenDownload,
            disruptions: [.makeWay(key, containers: ["x"], removing: false)]
        ),
        Case(
            name: "older, image missing, delete-then-download: removed first",
            instances: [container("x", "b")],
            imageIsThere: false,
            strategy: .deleteThenDownload,
            disruptions: [.makeWay(key, containers: ["x"], removing: true)]
        ),
        Case(
            name: "older, image there, kill-then-download",
            instances: [container("x", "b")],
            strategy: .killThenDownload,
            disruptions: [replace("x")]
        ),
        Case(
            name: "older and ended: replaced without a lock",
            instances: [container("x", "b", .exited)],
            additions: [replace("x")]
        ),
        Case(
            name: "older and ended, image missing, kill-then-download",
            instances: [container("x", "b", .exited)],
            imageIsThere: false,
            strategy: .killThenDownload,
            downloads: [download]
        ),
        Case(
            name: "older and stopped through the API: the update goes on",
            instances: [container("x", "b", .exited)],
            isHalted: true,
            additions: [replace("x")]
        ),
        Case(
            name: "older and paused: it lives",
            instances: [container("x", "b", .paused)],
            disruptions: [replace("x")]
        ),
        // Broken ones.
        Case(name: "dead", instances: [container("x", "a", .dead)], additions: [replace("x")]),
        Case(name: "going away", instances: [container("x", "a", .removing)], additions: [replace("x")]),
        Case(
            name: "dead, image missing",
            instances: [container("x", "a", .dead)],
            imageIsThere: false,
            downloads: [download]
        ),
        // Made, not started.
        Case(name: "made, not started", instances: [container("x", "a", .created)], additions: [start("x")]),
        Case(name: "made and stopped through the API", instances: [container("x", "a", .created)], isHalted: true),
        // Ended.
        Case(name: "ended, always", instances: [container("x", "a", .exited)], additions: [start("x")]),
        Case(
            name: "ended, unless-stopped",
            instances: [container("x", "a", .exited)],
            restart: .unlessStopped,
            additions: [start("x")]
        ),
        Case(name: "ended, no: for good", instances: [container("x", "a", .exited)], restart: .no),
        Case(
            name: "ended, on-failure: for good",
            instances: [container("x", "a", .exited)],
            restart: .onFailure(maximumRetries: 2)
        ),
        Case(
            name: "ended, no, after a boot",
            instances: [container("x", "a", .exited)],
            startsEverything: true,
            restart: .no,
            additions: [start("x")]
        ),
        Case(
            name: "ended, on-failure, after a boot",
            instances: [container("x", "a", .exited)],
            startsEverything: true,
            restart: .onFailure(maximumRetries: nil),
            additions: [start("x")]
        ),
        Case(
            name: "ended, no, after a boot, but it has run",
            instances: [container("x", "a", .exited)],
            startsEverything: true,
            hasRun: true,
            restart: .no
        ),
        Case(
            name: "ended, always, after a boot, and it has run",
            instances: [container("x", "a", .exited)],
            startsEverything: true,
            hasRun: true,
            additions: [start("x")]
        ),
        Case(name: "stopped through the API", instances: [container("x", "a", .exited)], isHalted: true),
        Case(
            name: "stopped through the API before the first cycle was through",
            instances: [container("x", "a", .exited)],
            isHalted: true,
            startsEverything: true
        ),
        // Not to run.
        Case(
            name: "runs and is not to",
            instances: [container("x")],
            running: false,
            disruptions: [.halt(key, container: "x")]
        ),
        Case(
            name: "not to run, and ended",
            instances: [container("x", "a", .exited)],
            startsEverything: true,
            running: false
        ),
        Case(name: "not to run, and made", instances: [container("x", "a", .created)], running: false),
        Case(
            name: "the engine restarts what is not to run",
            instances: [container("x", "a", .restarting)],
            running: false,
            disruptions: [.halt(key, container: "x")]
        ),
        // Too many.
        Case(
            name: "a second one that runs as wanted",
            instances: [container("x"), container("y")],
            disruptions: [remove("y")]
        ),
        Case(
            name: "the one that runs stays, the ended one goes",
            instances: [container("x", "a", .exited), container("y")],
            additions: [remove("x")]
        ),
        Case(
            name: "an older one beside the wanted one",
            instances: [container("x", "b"), container("y", "a", .exited)],
            disruptions: [replace("x", by: "y")]
        ),
        Case(
            name: "two older ones",
            instances: [container("x", "b"), container("y", "c", .exited)],
            disruptions: [replace("x", "y")]
        ),
        Case(
            name: "two older ones that have ended",
            instances: [container("x", "b", .exited), container("y", "c", .created)],
            additions: [replace("x", "y")]
        ),
    ]

    @Test(arguments: cases)
    func `the plan for one service`(case given: Case) {
        let current = CurrentState(
            instances: given.instances,
            images: given.imageIsThere ? ["img"] : [],
            stoppedByRequest: given.isHalted ? [Self.key] : [],
            startsEverything: given.startsEverything,
            servicesSeenRunning: given.hasRun ? [Self.key] : []
        )
        let wanted = ResolvedService(
            key: Self.key,
            digest: "a",
            image: "img",
            running: given.running,
            strategy: given.strategy,
            restart: given.restart
        )
        let plan = UpdatePlanner.plan(current: current, target: [wanted])
        #expect(plan.downloads == given.downloads)
        #expect(plan.disruptions == given.disruptions)
        #expect(plan.additions == given.additions)
        #expect(plan.isEmpty == (given.downloads + given.disruptions + given.additions).isEmpty)
    }

    @Test func `a removed application is stopped and removed`() {
        let plan = UpdatePlanner.plan(
            current: CurrentState(instances: [Self.container("x"), Self.container("y", "b", .exited)]),
            target: []
        )
        #expect(plan.disruptions == [Self.retire("x", "y")])
        #expect(plan.additions.isEmpty)
    }

    @Test func `a removed application that has ended goes without a lock`() {
        let current = CurrentState(instances: [Self.container("x", "a", .exited)])
        let plan = UpdatePlanner.plan(current: current, target: [])
        #expect(plan.additions == [Self.retire("x")])
        #expect(plan.disruptions.isEmpty)
    }

    @Test func `without a target nothing is touched`() {
        let states: [ContainerState] = [.created, .running, .paused, .restarting, .removing, .exited, .dead]
        let instances = states.map { Self.container($0.rawValue, "a", $0) }
        let plan = UpdatePlanner.plan(current: CurrentState(instances: instances, startsEverything: true), target: nil)
        #expect(plan.isEmpty)
    }

    @Test func `of several applications only those that change are disrupted`() {
        func key(_ app: Int64) -> ServiceKey { ServiceKey(app: AppID(app), service: "main") }
        let plan = UpdatePlanner.plan(
            current: CurrentState(
                instances: [
                    Self.container("x", "old", .running, key(1)),
                    Self.container("y", "a", .running, key(2)),
                    Self.container("z", "old", .running, key(3)),
                ],
                images: ["img"]
            ),
            target: [1, 2, 4].map { ResolvedService(key: key($0), digest: "a", image: "img") }
        )
        #expect(plan.disruptions.map(\.app.number) == [1, 3])
        #expect(plan.additions.map(\.app.number) == [4])
    }

    @Test func `a container that only has to be started is no pending update`() {
        func plan(_ instances: [CurrentState.Instance], image: Bool = true) -> UpdatePlan {
            UpdatePlanner.plan(
                current: CurrentState(instances: instances, images: image ? ["img"] : []),
                target: [ResolvedService(key: Self.key, digest: "a", image: "img")]
            )
        }
        #expect(!plan([Self.container("x", "a", .exited)]).isPending)
        #expect(!plan([Self.container("x")]).isPending)
        #expect(plan([]).isPending)
        #expect(plan([], image: false).isPending)
        #expect(plan([Self.container("x", "b")]).isPending)
        #expect(plan([Self.container("x", "b", .exited)]).isPending)
    }
}
