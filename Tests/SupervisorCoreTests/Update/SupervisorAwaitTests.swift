import CLinux
import Glibc
import HostOperations
import JSON
import TestSupport
import Testing

@testable import SupervisorCore

/// Between look and act: at each point where an operation waits for the engine or the disk, something else happens, and what
/// the operation relies on may no longer hold.
struct SupervisorAwaitTests {
    enum Operation: String, CaseIterable, Sendable {
        case restart, purge, stop, start, update, handOver, rename
        /// The host refuses it in the end.
        case reboot
        /// Containers are recreated to get the new key.
        case key
    }

    enum Change: String, CaseIterable, Sendable {
        /// Somebody starts every container of the application that does not run, and the app takes its lock.
        case startedByOthers
        /// The app takes its lock, if nobody has it.
        case locked
        case engineAway
        case died
        /// `docker rm -f`.
        case removed
        /// The target has another release.
        case newTarget
    }

    private static func target(_ image: String, _ operation: Operation, _ commit: String) -> JSONValue {
        let name = operation == .rename && image == "app:2" ? "renamed" : "main"
        let strategy: JSONValue = operation == .handOver ? "hand-over" : "download-then-kill"
        return Sample.target(
            (
                1,
                Sample.wholeApp(
                    commit: commit,
                    [
                        name: [
                            "image": .string(image),
                            "labels": [
                                "io.balena.update.strategy": strategy, "io.balena.update.handover-timeout": "1000",
                            ],
                        ]
                    ]
                )
            )
        )
    }

    /// Runs an operation with a change at its `moment`th wait. Returns whether it had so many.
    private static func run(_ operation: Operation, _ change: Change, at moment: Int, _ bench: Bench) async -> Bool {
        let place = Comment(rawValue: "\(operation), \(change) at \(moment)")
        bench.engine.images = ["app:1", "app:2", "app:3"]
        await bench.start(target: target("app:1", operation, "c1"))
        if operation == .start {
            _ = bench.call { try await $0.stop(AppID(1), force: false) }; await bench.settle()
        }
        let waits = Waits()
        let wait: @Sendable () -> Void = {
            waits.count += 1
            guard waits.count == moment, !waits.isDone else { return }
            waits.isDone = true
            happen(change, operation, bench)
        }
        bench.engine.onStop = { container in
            let name = container.labels[ContainerLabel.service] ?? ""
            // What hands over shares its directory with its successor.
            let others = bench.engine.containers.filter { $0.state.isAlive && $0.id != container.id }
            if operation == .handOver, !others.isEmpty { return }
            let path = bench.directories.locks(of: ServiceKey(app: AppID(1), service: name)) + "/updates.lock"
            let isOurs = (TestFile.text(path) ?? "").hasPrefix("supervisor ")
            #expect(!TestFile.exists(path) || isOurs, "\(place.rawValue): the holder of the lock is stopped")
        }
        bench.engine.onAwait = wait
        bench.worker.onAwait = wait
        bench.host.onCall = { _ in wait() }
        switch operation {
        case .restart: _ = bench.call { try await $0.restart(AppID(1), force: false) }
        case .purge: _ = bench.call { try await $0.purge(AppID(1), force: false) }
        case .stop: _ = bench.call { try await $0.stop(AppID(1), force: false) }
        case .start: _ = bench.call { try await $0.start(AppID(1)) }
        case .reboot:
            bench.host.fail(PowerReboot.name, HostOperationError(.unavailable, "not now"))
            _ = bench.call { try await $0.reboot(force: false, requestID: nil) }
        case .key: _ = bench.call { try await $0.regenerateKey() }
        case .update, .handOver, .rename: await bench.change(target: target("app:2", operation, "c2"))
        }
        await bench.settle()
        bench.engine.onAwait = {}
        bench.worker.onAwait = {}
        bench.host.onCall = { _ in }
        guard waits.isDone else { return false }
        // Whoever holds a lock keeps it, and its container, for as long as it likes.
        await bench.advance(.seconds(20))
        let live = bench.engine.containers.filter { $0.state == .running }
        for container in live {
            let key = ServiceKey(app: AppID(1), service: container.labels[ContainerLabel.service] ?? "")
            #expect(
                bench.engine.lockDirectories[container.id]
                    == TestFile.status(bench.directories.locks(of: key)).map { UInt64($0.st_ino) },
                "\(place.rawValue): a container lives whose lock directory was taken away"
            )
        }
        await leaveAlone(bench)
        let wanted = bench.engine.containers.filter { $0.labels[ContainerLabel.app] == "1" }
        #expect(wanted.count == 1, "\(place.rawValue): \(wanted.map { "\($0.name) \($0.state)" })")
        // Who asks for a start while the engine is away is refused, and may ask again.
        let isToRun = operation != .stop && !(operation == .start && change == .engineAway)
        if isToRun { #expect(wanted.first?.state == .running, "\(place.rawValue)") }
        let image =
            change == .newTarget ? "app:3" : [.update, .handOver, .rename].contains(operation) ? "app:2" : "app:1"
        #expect(wanted.first?.image == image, "\(place.rawValue)")
        return true
    }

    private static func happen(_ change: Change, _ operation: Operation, _ bench: Bench) {
        let own = bench.engine.containers.filter { $0.labels[ContainerLabel.service] != nil }
        func lock(_ container: EngineContainer) {
            let key = ServiceKey(app: AppID(1), service: container.labels[ContainerLabel.service] ?? "")
            let path = bench.directories.locks(of: key) + "/updates.lock"
            let descriptor = open(path, O_CREAT | O_EXCL | O_WRONLY, 0o644)
            if descriptor >= 0 { close(descriptor) }
        }
        switch change {
        case .startedByOthers:
            for container in own where !container.state.isAlive {
                bench.engine.startedByOthers(container.id)
                lock(container)
            }
        case .locked: for container in own where container.state == .running { lock(container) }
        case .engineAway: bench.engine.goAway()
        case .died: for container in own where container.state == .running { bench.engine.die(container.id) }
        case .removed:
            for container in own {
                bench.engine.change(container.id, .exited)
                bench.engine.containers.removeAll { $0.id == container.id }
                bench.engine.emit(container.id, "destroy", labels: container.labels)
            }
        case .newTarget:
            bench.write(target("app:3", operation == .rename ? .update : operation, "c3"))
            bench.watcher.changed(bench.targetFile)
        }
    }

    /// The engine is there again, the locks are given back, and time passes.
    private static func leaveAlone(_ bench: Bench) async {
        bench.engine.comeBack()
        await bench.advance(.seconds(10))
        for name in ["main", "renamed"] {
            let path = bench.directories.locks(of: ServiceKey(app: AppID(1), service: name)) + "/updates.lock"
            unlink(path)
            bench.watcher.changed(path)
        }
        await bench.advance(.seconds(100))
    }

    /// One after the other: each runs an operation as often as it waits, and others are about times.
    @Test(.serialized, arguments: Operation.allCases, Change.allCases)
    func `whatever happens while an operation waits, no lock is broken and the target runs in the end`(
        operation: Operation,
        change: Change
    ) async {
        var moment = 1
        var isMore = true
        while isMore, moment < 200 {
            let result = Waits()
            let number = moment
            await Bench.run { bench in result.isDone = await Self.run(operation, change, at: number, bench) }
            isMore = result.isDone
            moment += 1
        }
        #expect(moment > 5, "it waits")
    }

    /// Only used on the test's one thread.
    private final class Waits: @unchecked Sendable {
        var count = 0
        var isDone = false
    }
}
