import Glibc
import SupervisorPluginAPI

/// What a check works with: starts the plugin, does the handshake, and ends what it has started.
final class Bench {
    let options: CheckOptions
    let violations: Violations
    /// What the plugin has offered in `handshake.good`.
    var offered: PluginInitialize.Reply?
    /// Remarks of the current check, which do not make it fail.
    var remarks: [String] = []
    /// The last lines of the current check's log.
    private(set) var log: [UInt8] = []
    private var started: [PluginUnderTest] = []
    /// Until a check has shown that the plugin does not end by itself.
    private var exitTime: Int64 = PluginUnderTest.exitTime

    init(_ options: CheckOptions, _ violations: Violations) {
        self.options = options
        self.violations = violations
    }

    // MARK: Starting

    func start() throws(CheckError) -> PluginUnderTest {
        guard let launch = options.isSocket ? Launch.connect(options.target) : Launch.spawn(options.target) else {
            throw .failed("cannot \(options.isSocket ? "connect" : "start"): \(String(cString: strerror(errno)))")
        }
        return keep(launch)
    }

    func startOnTerminal() throws(CheckError) -> PluginUnderTest {
        try needProcess()
        guard let launch = Launch.spawnOnTerminal(options.target) else {
            throw .skipped("cannot open a terminal: \(String(cString: strerror(errno)))")
        }
        return keep(launch)
    }

    private func keep(_ launch: Launch) -> PluginUnderTest {
        let plugin = PluginUnderTest(launch, violations, timeout: options.timeout)
        started.append(plugin)
        return plugin
    }

    /// A plugin that has completed the handshake.
    func ready(extra settings: [String: String] = [:]) throws(CheckError) -> PluginUnderTest {
        let plugin = try start()
        _ = try result(of: try initialize(plugin, settings: settings), PluginInitialize.self)
        try plugin.send(.notification(method: PluginInitialized.name, parameters: ["accepted": true]))
        // Joined frames are a check of their own, and must not fail all the others.
        plugin.settle(20)
        return plugin
    }

    /// Sends plugin.initialize and returns the answer.
    func initialize(
        _ plugin: PluginUnderTest,
        versions: [Int64] = [PluginProtocol.version],
        settings: [String: String] = [:]
    ) throws(CheckError) -> Frame {
        try call(plugin, PluginInitialize.name, handshake(versions: versions, settings: settings))
    }

    func handshake(versions: [Int64] = [PluginProtocol.version], settings: [String: String] = [:]) -> JSONObject {
        PluginInitialize.Parameters(
            protocolVersions: versions,
            supervisorName: "supervisor-plugin-check",
            supervisorVersion: "1",
            deviceType: options.deviceType,
            settings: options.settings.merging(settings) { $1 }
        )
        .json
    }

    /// Ends everything that the check has started.
    func dispose(hasFailed: Bool) {
        log = []
        for plugin in started {
            if !plugin.dispose(within: exitTime, hasFailed: hasFailed) { exitTime = 200 }
            log += plugin.log
        }
        started = []
    }

    func needProcess() throws(CheckError) {
        guard !options.isSocket else { throw .skipped("the process behind a socket is not our child") }
    }

    // MARK: Calling

    func call(
        _ plugin: PluginUnderTest,
        _ method: String,
        _ parameters: JSONObject = [:],
        id: RequestID? = nil
    ) throws(CheckError) -> Frame {
        let id = id ?? plugin.nextID()
        try plugin.send(.request(id: id, method: method, parameters: parameters))
        return try plugin.answer(to: id)
    }

    /// The plugin still serves requests: plugin.ping is answered as it should be.
    func ping(_ plugin: PluginUnderTest, id: RequestID? = nil) throws(CheckError) {
        _ = try result(of: try call(plugin, PluginPing.name, id: id), PluginPing.self)
    }

    @discardableResult
    func result<Operation: HostOperation>(of frame: Frame, _ type: Operation.Type) throws(CheckError) -> Operation.Reply
    {
        switch frame {
        case .result(_, let value):
            do throws(PluginError) {
                return try Operation.Reply(json: value.objectValue ?? [:])
            } catch {
                throw .failed("\(Operation.name): the result is wrong: \(error.message)")
            }
        case .failure(_, let error):
            throw .failed("\(Operation.name) was answered with error \(error.code.rawValue): \(error.message)")
        case .request, .notification: throw .failed("no response")
        }
    }

    /// The answer is an error with one of these codes; nil means any.
    @discardableResult
    func expect(_ codes: [PluginError.Code]?, _ frame: Frame, _ what: String) throws(CheckError) -> PluginError {
        let expected = codes?.map { "\($0.rawValue)" }.joined(separator: " or ") ?? "an error"
        guard case .failure(_, let error) = frame else {
            throw .failed("\(what) was answered with a result, expected \(expected)")
        }
        guard codes?.contains(error.code) ?? true else {
            throw .failed("\(what) was answered with \(error.code.rawValue), expected \(expected)")
        }
        return error
    }

    // MARK: Operations that may be called

    func isAllowed(_ operation: PluginInitialize.Reply.Operation) -> Bool {
        options.calls[operation.name] != nil || Contract.isHarmless(operation)
    }

    /// A call for checks that need any: what was named with --call or --allow, else one that only reads, else plugin.ping.
    var anyCall: (method: String, parameters: JSONObject) {
        longCall ?? (PluginPing.name, [:])
    }

    /// nil where only plugin.ping may be called.
    var longCall: (method: String, parameters: JSONObject)? {
        let allowed = (offered?.operations ?? []).filter(isAllowed)
        let named = allowed.filter { options.calls[$0.name] != nil && $0.isIdempotent }
        guard let operation = named.first ?? allowed.first(where: \.isIdempotent) else { return nil }
        return (operation.name, options.calls[operation.name] ?? [:])
    }

    /// Ended in time, and with 0 where that can be seen.
    func expectExit(_ plugin: PluginUnderTest, after what: String, status expected: Int32? = 0) throws(CheckError) {
        guard let status = plugin.exit(within: PluginUnderTest.exitTime) else {
            throw .failed("still running 5 s after \(what)")
        }
        guard let expected, !options.isSocket else { return }
        guard status & 0x7F == 0, status >> 8 & 0xFF == expected else {
            throw .failed("\(PluginUnderTest.describe(status)) after \(what), expected to exit with \(expected)")
        }
    }
}
