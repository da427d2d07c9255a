import Glibc
import Logging
import NIOCore
import NIOPosix
import SupervisorCore
import SupervisorEventLoop
import SupervisorPluginAPI
import Synchronization
import TestSupport

@testable import SupervisorPluginHost

/// A plugin host on an event loop of its own, with a directory for manifests, programs and sockets.
struct HostBench: Sendable {
    let host: PluginHost
    let directory: TemporaryDirectory
    let log: LogRecorder
    /// What the host has told, but for states.
    let events: Recorder<HostEvent>
    /// As "plugin state".
    let states: Recorder<String>
    let executor: LoopExecutor

    var loop: any EventLoop { executor.loop }

    /// Runs `body` as a task of the loop, as the daemon runs everything; ends the plugins afterwards.
    static func run(
        random: @escaping @Sendable () -> Double = { 0 },
        _ body: @escaping @Sendable (HostBench) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let executor = LoopExecutor(group.next())
        let outcome = await Task(executorPreference: executor) {
            let log = LogRecorder()
            let logger = Logger(label: "test") { _ in log }
            let worker = try LoopWorker()
            let watcher = try await InotifyWatcher.start(on: executor.loop, logger: logger).get()
            let host = PluginHost(
                executor: executor,
                clock: LoopClock(loop: executor.loop),
                worker: worker,
                watcher: watcher,
                supervisorVersion: "1.2.3",
                descriptorLimit: 512,
                logger: logger,
                random: random
            )
            let events = Recorder<HostEvent>()
            let states = Recorder<String>()
            host.observe { event in
                if case .state(let plugin, let state, _) = event {
                    states.add("\(plugin) \(state)")
                } else {
                    events.add(event)
                }
            }
            let bench = HostBench(
                host: host,
                directory: TemporaryDirectory(in: "/tmp"),
                log: log,
                events: events,
                states: states,
                executor: executor
            )
            // Stands for SIGCHLD, which a test's process cannot block for all its threads.
            let reaper = executor.loop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(5)) { _ in
                host.assumeIsolated { $0.childrenChanged() }
            }
            let outcome: Result<Void, any Error>
            do { outcome = .success(try await body(bench)) } catch { outcome = .failure(error) }
            await host.shutdown(within: .seconds(3))
            reaper.cancel()
            try? await watcher.close().get()
            await worker.shutdown()
            try outcome.get()
        }.result
        try await group.shutdownGracefully()
        try outcome.get()
    }

    func write(manifest text: String, _ name: String = "test") {
        directory.write(text, to: "\(name).plugin")
    }

    /// A manifest over the socket `test.sock` of the bench.
    func writeSocketManifest(_ launch: String = "", plugin: String = "") {
        write(
            manifest: """
                [Plugin]
                Name=test
                Provides=led.blink power.reboot x.echo
                \(plugin)
                [Launch]
                Mode=socket
                Socket=\(directory["test.sock"])
                \(launch)
                """
        )
    }

    func peer(_ script: @escaping ScriptedPeer.Script) -> ScriptedPeer { ScriptedPeer(directory["test.sock"], script) }

    func reload(deviceType: String = "board") async {
        await host.reload(searchPath: [directory.path], deviceType: deviceType)
    }

    /// What the plugin answered: {"result":…} or {"error":…}.
    func call(_ operation: String, _ parameters: JSONObject = [:], records: Bool = false) async throws -> JSONValue {
        try await host.call(named: operation, parameters, recordsFrames: records)
    }

    /// The element of one plugin of what `superctl plugins` shows.
    func plugin(_ name: String = "test") async -> JSONValue {
        await host.plugins().arrayValue?.first { $0["name"]?.stringValue == name } ?? .null
    }

    /// Waits for a state; nil after five seconds.
    @discardableResult
    func state(_ wanted: String, of name: String = "test") async throws -> JSONValue? {
        for _ in 0..<1000 {
            let plugin = await plugin(name)
            if plugin["state"]?.stringValue == wanted { return plugin }
            try await LoopClock(loop: loop).sleep(for: .milliseconds(5))
        }
        return nil
    }
}

/// What was told, in order.
final class Recorder<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])

    func add(_ element: Element) {
        elements.withLock { $0.append(element) }
    }

    var all: [Element] { elements.withLock { $0 } }
}

/// Keeps what is logged.
struct LogRecorder: LogHandler {
    struct Line: Sendable {
        var level: Logger.Level
        var text: String
        var metadata: [String: String]
    }

    let lines = Recorder<Line>()
    var logLevel = Logger.Level.trace
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let metadata = metadata.merging(event.metadata ?? [:]) { _, new in new }
        lines.add(Line(level: event.level, text: "\(event.message)", metadata: metadata.mapValues { "\($0)" }))
    }
}
