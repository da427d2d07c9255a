import JSON
import Testing

@testable import SupervisorCore

struct RollBackTests {
    private static let key = ServiceKey(app: AppID(1), service: "main")

    /// A release that is judged for ten seconds.
    private static func app(_ image: String, commit: String) throws -> (app: AppTarget, service: ServiceTarget) {
        var parser = TargetParser()
        let labels: JSONValue = ["io.supervisor.healthy-after": "10"]
        let json = Sample.target((1, Sample.app(image, commit: commit, ["labels": labels])))
        let app = try #require(try parser.parse(json).apps.first)
        return (app, try #require(app.services.first))
    }

    private static func judge(
        _ rollBack: inout RollBack,
        _ release: (app: AppTarget, service: ServiceTarget),
        _ state: ContainerState,
        at seconds: Int
    ) -> RollBack.Verdict {
        let instance = CurrentState.Instance(
            id: release.service.image,
            key: key,
            commit: release.app.commit,
            digest: "digest",
            image: release.service.image,
            imageID: "",
            state: state
        )
        return rollBack.judge(
            release.app,
            release.service,
            digest: "digest",
            [instance],
            isStopped: false,
            exitCode: nil,
            at: .seconds(seconds)
        )
    }

    @Test func `a release that fails is rolled back to the one that stayed up`() throws {
        var rollBack = RollBack(releases: ReleaseRecords())
        let first = try Self.app("app:1", commit: "c1")
        let second = try Self.app("app:2", commit: "c2")
        let target = TargetState(apps: [second.app])
        let verdicts = [
            Self.judge(&rollBack, first, .running, at: 0), Self.judge(&rollBack, first, .running, at: 10),
            Self.judge(&rollBack, second, .running, at: 20), Self.judge(&rollBack, second, .exited, at: 25),
        ]
        let reason = "its process ended after 5 s"
        #expect(
            verdicts == [
                .open(until: .seconds(10)), .good, .open(until: .seconds(30)),
                .rejected(reason: reason, goodCommit: "c1"),
            ]
        )
        #expect(rollBack.releaseToRun(second.app, second.service).service.image == "app:1")
        #expect(rollBack.message(target)?.contains(reason) == true)
        #expect(rollBack.rolledBackCommit(Self.key, target) == "c2")
        #expect(rollBack.settledCommits(target) == [:])
        #expect(rollBack.imagesToKeep(target) == ["app:1"])
    }

    @Test func `a rejection ends with the next release of the target`() throws {
        var rollBack = RollBack(releases: ReleaseRecords())
        let second = try Self.app("app:2", commit: "c2")
        let third = try Self.app("app:3", commit: "c3")
        _ = Self.judge(&rollBack, try Self.app("app:1", commit: "c1"), .running, at: 0)
        _ = Self.judge(&rollBack, try Self.app("app:1", commit: "c1"), .running, at: 10)
        _ = Self.judge(&rollBack, second, .exited, at: 20)
        let isForgotten = [second, third, third].map { rollBack.forgetRejection(by: $0.app, $0.service) }
        #expect(isForgotten == [false, true, false])
        #expect(rollBack.releases.good[Self.key]?.commit == "c1")
    }

    @Test func `a first release that fails is said to once`() throws {
        var rollBack = RollBack(releases: ReleaseRecords())
        let first = try Self.app("app:1", commit: "c1")
        let verdicts = [0, 1].map { Self.judge(&rollBack, first, .exited, at: $0) }
        #expect(verdicts == [.failsWithoutFallback(reason: "its process ended"), .open(until: nil)])
        #expect(!rollBack.mayRollBack(Self.key))
    }

    @Test func `services that are not in the target are forgotten`() throws {
        var rollBack = RollBack(releases: ReleaseRecords())
        let first = try Self.app("app:1", commit: "c1")
        _ = Self.judge(&rollBack, first, .running, at: 0)
        _ = Self.judge(&rollBack, first, .running, at: 10)
        let isChanged = [[first.app], [], []].map { rollBack.keep(only: TargetState(apps: $0)) }
        #expect(isChanged == [false, true, false])
        #expect(rollBack.releases == ReleaseRecords())
    }
}
