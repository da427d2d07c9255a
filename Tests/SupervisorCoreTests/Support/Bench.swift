import Glibc
import JSON
import Logging
import TestSupport
import Testing

@testable import SupervisorCore

/// A whole core on one thread, with an engine and a host in memory, a clock that a test moves, and real files.
///
/// `@unchecked Sendable`: only used on `executor`.
final class Bench: @unchecked Sendable {
    let executor: ThreadExecutor
    let files = TemporaryDirectory()
    let clock = ManualClock()
    let worker = InlineWorker()
    let engine = FakeEngine()
    let host = FakeHost()
    let watcher = FakeWatcher()
    let directories: AppDirectories
    let store: StateStore
    private(set) var supervisor: Supervisor

    static let identity = DeviceIdentity(
        uuid: String(repeating: "a", count: 32),
        deviceType: "raspberrypi4-64",
        osVersion: "Debian GNU/Linux 12 (bookworm)",
        supervisorVersion: "1.2.3"
    )

    var targetFile: String { files["apps.json"] }

    private init(_ executor: ThreadExecutor) {
        self.executor = executor
        directories = AppDirectories(dataDirectory: files["data"], lockDirectory: files["locks"])
        store = StateStore(directory: files["state"])
        supervisor = Self.makeSupervisor(executor, files, clock, worker, engine, host, watcher, directories, store)
    }

    private static func makeSupervisor(
        _ executor: ThreadExecutor,
        _ files: TemporaryDirectory,
        _ clock: ManualClock,
        _ worker: InlineWorker,
        _ engine: FakeEngine,
        _ host: FakeHost,
        _ watcher: FakeWatcher,
        _ directories: AppDirectories,
        _ store: StateStore,
        _ bootID: String = "boot-1"
    ) -> Supervisor {
        let settings = SupervisorSettings(
            targetFile: files["apps.json"],
            pollInterval: .seconds(60),
            apiPort: 48484,
            engineSocket: "/run/docker.sock"
        )
        return Supervisor(
            parts: SupervisorParts(
                engine: engine,
                host: host,
                clock: clock,
                worker: worker,
                watcher: watcher,
                executor: executor,
                store: store,
                directories: directories,
                bootID: bootID,
                lockToken: String(repeating: "b", count: 32),
                addresses: { "192.168.1.2 10.0.0.2" },
                reload: { () async throws(SupervisorError) -> SupervisorSettings in settings },
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            ),
            identity: identity,
            settings: settings,
            contents: store.load(givenUUID: identity.uuid, machineUUID: nil)
        )
    }

    /// Runs a test on a thread of its own. The core is ended afterwards, and must end.
    static func run(_ body: @escaping @Sendable (Bench) async throws -> Void) async {
        let executor = ThreadExecutor()
        defer { executor.end() }
        await Task(executorPreference: executor) {
            let bench = Bench(executor)
            do { try await body(bench) } catch { Issue.record(error) }
            await bench.end()
        }.value
    }

    /// A supervisor that finds `target`, with its applications running.
    static func run(
        target: JSONValue,
        _ body: @escaping @Sendable (Bench) async throws -> Void
    ) async {
        await run { bench in
            await bench.start(target: target)
            bench.engine.forgetCalls()
            bench.host.forgetCalls()
            try await body(bench)
        }
    }

    /// Starts the core, with a target file where one is given, and waits until nothing more happens.
    func start(target: JSONValue? = nil) async {
        if let target { write(target) }
        await supervisor.start()
        await settle()
    }

    /// Ends the core as SIGTERM does.
    private func end() async {
        let drain = call { await $0.drain(within: .seconds(10)) }
        await settle()
        if drain.result == nil { await advance(.seconds(11)) }
        #expect(drain.result != nil, "the core does not end")
    }

    /// A killed supervisor: this one is never heard of again, and a new one starts on the same files and containers.
    func restartSupervisor(bootID: String = "boot-1") async {
        await end()
        supervisor = Self.makeSupervisor(
            executor,
            files,
            clock,
            worker,
            engine,
            host,
            watcher,
            directories,
            store,
            bootID
        )
        await supervisor.start()
        await settle()
    }

    // MARK: Time

    /// Returns when nothing more happens by itself.
    func settle() async {
        for _ in 0..<20_000 {
            await Task.yield()
            if executor.isIdle { return }
        }
        Issue.record("it never comes to rest")
    }

    /// Lets time pass, with everything that happens meanwhile.
    func advance(_ duration: Duration) async {
        let end = clock.now + duration
        await settle()
        while let alarm = clock.nextAlarm, alarm <= end {
            clock.move(to: alarm)
            await settle()
        }
        clock.move(to: end)
        await settle()
    }

    // MARK: The target

    func write(_ target: JSONValue) { TestFile.write(target.text, targetFile) }

    /// Replaces the target file, of which the core is told.
    func change(target: JSONValue) async {
        write(target)
        watcher.changed(targetFile)
        await settle()
    }

    // MARK: Calls

    /// A call of the core's that may still be under way.
    final class Call<Value: Sendable>: @unchecked Sendable {
        fileprivate(set) var result: Result<Value, any Error>?
        fileprivate(set) var task: Task<Void, Never>?

        var error: SupervisorError? {
            if case .failure(let error)? = result { error as? SupervisorError } else { nil }
        }
    }

    /// Begins a call.
    func call<Value: Sendable>(_ body: @escaping @Sendable (Supervisor) async throws -> Value) -> Call<Value> {
        let call = Call<Value>()
        let supervisor = supervisor
        call.task = Task(executorPreference: executor) {
            do {
                call.result = .success(try await body(supervisor))
            } catch {
                call.result = .failure(error)
            }
        }
        return call
    }

    /// Makes a call and returns its answer, which must come without time passing.
    func answer<Value: Sendable>(_ body: @escaping @Sendable (Supervisor) async throws -> Value) async throws -> Value {
        let call = call(body)
        await settle()
        return try #require(call.result, "no answer").get()
    }

    /// Makes a call that must fail, at once.
    func refusal<Value: Sendable>(
        _ body: @escaping @Sendable (Supervisor) async throws -> Value
    ) async throws -> SupervisorError {
        let call = call(body)
        await settle()
        return try #require(call.error, "no error but \(String(describing: call.result))")
    }

    // MARK: Locks

    func lockPath(_ app: Int64, _ name: String = "updates.lock") -> String {
        directories.locks(of: ServiceKey(app: AppID(app), service: "main")) + "/" + name
    }

    /// An application takes its lock.
    func lock(_ app: Int64) { TestFile.write("", lockPath(app)) }

    /// An application gives its lock back, which the core is told.
    func unlock(_ app: Int64) async {
        unlink(lockPath(app))
        watcher.changed(lockPath(app))
        await settle()
    }

    // MARK: What runs
    // None of these throws: a closure whose only `try` is inside a macro is not taken for one that throws.

    /// The one container of an application.
    func container(_ app: Int64, _ location: SourceLocation = #_sourceLocation) -> EngineContainer {
        let found = engine.containers.filter { $0.labels[ContainerLabel.app] == String(app) }
        if found.count == 1 { return found[0] }
        Issue.record("\(found.count) containers of application \(app)", sourceLocation: location)
        return EngineContainer(id: "none", name: "", image: "", imageID: "", labels: [:], state: .dead)
    }

    func environment(_ app: Int64, _ location: SourceLocation = #_sourceLocation) -> [String: String] {
        engine.specifications[container(app, location).id]?.environment ?? [:]
    }

    /// A member of what GET /v1/device answers.
    func device(_ name: String) async -> JSONValue? { await supervisor.device()[name] }
}
