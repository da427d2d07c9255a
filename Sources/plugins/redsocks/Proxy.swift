import LinuxSupport
import SupervisorPluginAPI
import Synchronization

/// The transparent proxy of this host: what its two files say, and the service that follows them.
///
/// Operations run one at a time, in the order in which they came; processes that overlap, such as an old instance that
/// ends while a new one begins, keep each other out by a lock on the directory. A call that is cancelled is given up as
/// long as nothing has changed; from then on it is completed or rolled back, whatever the caller does. A process that
/// dies in between leaves a note (see `ProxyFiles`), and the next operation of any kind begins by rolling that change
/// back.
actor Proxy {
    /// What an operator may choose.
    struct Options: Sendable {
        var files: ProxyFileNames
        var check: RedsocksCheck
        var unit: String
        /// Whom redsocks runs as; empty to leave it alone.
        var user: String
        var group: String
        /// For how long the service has to stay up to count as started: redsocks binds its port and resolves its proxy after
        /// systemd takes it for started.
        var settlingTime = Duration.milliseconds(300)
        /// For how long to wait for another process that changes the same files.
        var lockTime = Duration.seconds(5)
    }

    /// A call, and whether its caller still waits for it.
    private final class Call: Sendable {
        private let state = Mutex(false)
        var isCancelled: Bool { state.withLock { $0 } }
        func cancel() { state.withLock { $0 = true } }
    }

    private nonisolated let thread = BlockingThread(name: "redsocks")
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    private let options: Options
    private let services: any ServiceManager
    /// Ends when the operation that came last has ended.
    private var last: Task<Void, Never>?
    /// A failed restart with restored files is not repeated by every query.
    private var hasTriedToRecover = false
    /// Whether redsocks can send DNS through the proxy; nil until it was asked.
    private var knowsDNS: Bool?

    private static let clock = ContinuousClock()
    private static let pause = Duration.milliseconds(50)

    init(_ options: Options, _ services: any ServiceManager) {
        self.options = options
        self.services = services
    }

    // MARK: Operations

    /// nil where no proxy is set.
    func get() async throws(PluginError) -> ProxySettings? {
        try await serially { proxy, call throws(PluginError) in try await proxy.read(call) }
    }

    func set(_ settings: ProxySettings) async throws(PluginError) {
        Self.redact(settings)
        try await serially { proxy, call throws(PluginError) in try await proxy.replace(settings, call) }
    }

    func clear() async throws(PluginError) {
        try await serially { proxy, call throws(PluginError) in try await proxy.replace(nil, call) }
    }

    private static func redact(_ settings: ProxySettings) {
        for secret in [settings.login, settings.password] {
            if let secret { PluginLog.redact(secret) }
        }
    }

    /// Runs `body` after all earlier operations, in a task of its own, which is never cancelled.
    private func serially<Value: Sendable>(
        _ body: @escaping @Sendable (isolated Proxy, Call) async throws(PluginError) -> Value
    ) async throws(PluginError) -> Value {
        let call = Call()
        let previous = last
        let task = Task { () -> Result<Value, PluginError> in
            await previous?.value
            do throws(PluginError) {
                try Self.check(call)
                return .success(try await body(self, call))
            } catch {
                return .failure(error)
            }
        }
        last = Task { _ = await task.value }
        return try await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            call.cancel()
        }
        .get()
    }

    private static func check(_ call: Call) throws(PluginError) {
        if call.isCancelled { throw PluginError(code: .cancelled, "cancelled before anything changed") }
    }

    // MARK: Reading

    private func read(_ call: Call) async throws(PluginError) -> ProxySettings? {
        guard let files = try await open(creates: false, call) else { return nil }
        _ = try await recover(files)
        let settings = try settings(in: try Self.told { () throws(SystemCallError) in try files.current() })
        if let settings { Self.redact(settings) }
        return settings
    }

    /// The files for this operation alone; nil where there is no directory of them.
    private func open(creates: Bool, _ call: Call) async throws(PluginError) -> ProxyFiles? {
        let names = options.files
        guard let files = try Self.told({ () throws(SystemCallError) in try ProxyFiles.open(names, creates: creates) })
        else {
            return nil
        }
        let deadline = Self.clock.now + options.lockTime
        while try !Self.told({ () throws(SystemCallError) in try files.tryLock() }) {
            try Self.check(call)
            guard Self.clock.now < deadline else {
                throw PluginError(.busy, "another process is changing \(names.configuration.path)")
            }
            try? await Task.sleep(for: Self.pause)
        }
        return files
    }

    /// Names file and line of what is wrong, and no value.
    private func settings(in content: ProxyFiles.Content) throws(PluginError) -> ProxySettings? {
        guard let configuration = content.configuration else { return nil }
        let names = options.files
        let exceptions: [String]
        do throws(NoProxyList.SyntaxError) {
            exceptions = try NoProxyList.parse(content.noProxy ?? [])
        } catch {
            throw PluginError(
                .failed,
                "\(names.noProxy.path), line \(error.line): neither an IPv4 address nor a subnet"
            )
        }
        let parsed: RedsocksConfiguration
        do throws(RedsocksSyntaxError) {
            parsed = try RedsocksConfiguration(parsing: configuration)
        } catch {
            throw PluginError(.failed, "\(names.configuration.path), \(error)")
        }
        do throws(RedsocksConfiguration.MismatchError) {
            return try parsed.settings(noProxy: exceptions)
        } catch {
            throw PluginError(.failed, "\(names.configuration.path), \(error)")
        }
    }

    // MARK: Changing

    /// Everything that can be checked is checked before anything changes.
    private func replace(_ wanted: ProxySettings?, _ call: Call) async throws(PluginError) {
        guard let files = try await open(creates: wanted != nil, call) else { return }
        let isSettled = try await recover(files)
        let former = try Self.told { () throws(SystemCallError) in try files.current() }
        let state = try await state()
        guard !isSettled || !isInForce(wanted, former, state) else { return }
        if wanted?.dns != nil { try requireDNS(files, call) }
        let content = content(for: wanted, former, try Self.told { () throws(SystemCallError) in try files.kept() })
        let candidate = try Self.told { () throws(SystemCallError) in try files.prepare(content) }
        do throws(PluginError) {
            if let candidate {
                let secrets = [wanted?.login, wanted?.password].compactMap { $0 }
                try options.check.run(candidate, secrets: secrets) { call.isCancelled }
            }
            try Self.check(call)
            try Self.told { () throws(SystemCallError) in try files.begin() }
        } catch {
            if isSettled, files.isUnconfirmed { try? files.commit() }
            files.discard()
            throw error
        }
        var hasBegun = false
        do throws(ServiceError) {
            try Self.step { () throws(SystemCallError) in try files.swap(content) }
            try await services.restart(options.unit)
            hasBegun = true
            try await confirm(isRunning: wanted != nil)
            try Self.step { () throws(SystemCallError) in try files.commit() }
        } catch {
            let wasRunning = former.configuration != nil && state == "active"
            throw await takeBack(files, error.cause, restarting: hasBegun || error.hasBegun, wasRunning)
        }
        if wanted != nil { files.forgetKept() }
        if let wanted {
            let exceptions = wanted.noProxy.isEmpty ? "" : ", except for \(wanted.noProxy.count) addresses"
            PluginLog.notice("traffic goes through \(wanted.type.rawValue) at \(wanted.ip):\(wanted.port)\(exceptions)")
        } else {
            PluginLog.notice("traffic goes through no proxy")
        }
    }

    /// Throws `invalidArgument` where redsocks has no section for DNS. It is asked once.
    private func requireDNS(_ files: borrowing ProxyFiles, _ call: Call) throws(PluginError) {
        let isKnown: Bool
        if let knowsDNS {
            isKnown = knowsDNS
        } else {
            let probe = ProxyFiles.Content(configuration: RedsocksConfiguration.dnsProbe)
            let path = try Self.told { () throws(SystemCallError) in try files.prepare(probe) }
            defer { files.discard() }
            isKnown = try options.check.knows(path ?? "") { call.isCancelled }
            knowsDNS = isKnown
        }
        guard isKnown else {
            throw PluginError(
                .invalidArgument,
                "dns is wrong, allowed: false (the redsocks of this device has no section dnsu2t)"
            )
        }
    }

    /// What is not ours in the former file comes after what is; where that file was removed, what was kept of it.
    private func content(
        for settings: ProxySettings?,
        _ former: ProxyFiles.Content,
        _ kept: [UInt8]?
    ) -> ProxyFiles.Content {
        // Of a file that cannot be read nothing can be kept.
        let other = former.configuration.flatMap { try? RedsocksConfiguration(parsing: $0) }
        guard let settings else { return ProxyFiles.Content(kept: other.flatMap(\.foreign.nonEmpty)) }
        // Nothing of what was kept is ours, whatever port it is on.
        let foreign = former.configuration == nil ? kept : other?.foreign
        let note = "// Written by the supervisor, which keeps other sections and keys. See redsocks(8).\n"
        let configuration = RedsocksConfiguration(settings, user: options.user, group: options.group, former: other)
        return ProxyFiles.Content(
            configuration: Array(note.utf8) + configuration.encoded + (foreign ?? []),
            noProxy: NoProxyList.encode(settings.noProxy)
        )
    }

    /// Whether there is nothing to do. The same settings in a file that another program has written count as the same.
    private func isInForce(_ wanted: ProxySettings?, _ former: ProxyFiles.Content, _ state: String) -> Bool {
        guard let wanted else { return former == ProxyFiles.Content() && ["inactive", "failed"].contains(state) }
        return state == "active" && (try? settings(in: former)) == wanted
    }

    private func state() async throws(PluginError) -> String {
        do throws(ServiceError) {
            return try await services.activeState(of: options.unit)
        } catch {
            throw error.cause
        }
    }

    /// Throws unless the service runs and keeps running, or does not run at all.
    private func confirm(isRunning: Bool) async throws(ServiceError) {
        let unit = options.unit
        let end = Self.clock.now + (isRunning ? options.settlingTime : .zero)
        while true {
            let state = try await services.activeState(of: unit)
            let isAsWanted = isRunning ? state == "active" : ["inactive", "failed"].contains(state)
            guard isAsWanted else {
                let reason =
                    isRunning
                    ? "\(unit) did not stay up and is now \(state); its journal says why"
                    : "\(unit) is \(state) without \(options.files.configuration.path), so it reads another file"
                throw ServiceError(PluginError(.failed, reason), hasBegun: true)
            }
            guard Self.clock.now < end else { return }
            try? await Task.sleep(for: Self.pause)
        }
    }

    // MARK: The way back

    /// Puts the former files back, restarts the service with them where it may have seen the new ones, and returns what
    /// became of it all.
    private func takeBack(
        _ files: borrowing ProxyFiles,
        _ cause: PluginError,
        restarting: Bool,
        _ wasRunning: Bool
    ) async -> PluginError {
        var error = PluginError(
            cause.reason ?? .failed,
            "\(cause.message); the former settings are in effect again",
            isRetryable: cause.isRetryable,
            detail: cause.detail,
            source: cause.source
        )
        do throws(ServiceError) {
            try Self.step { () throws(SystemCallError) in try files.restore() }
        } catch {
            let message = "\(cause.message); the former settings could not be put back: \(error.cause.message)"
            PluginLog.error(message)
            return PluginError(.failed, message, detail: cause.detail, source: cause.source)
        }
        do throws(ServiceError) {
            if restarting {
                try await services.restart(options.unit)
                if wasRunning { try await confirm(isRunning: true) }
            }
            try? files.forget()
        } catch let failure {
            error.message =
                "\(cause.message); the former settings are back, but \(options.unit) does not run with them: "
                + failure.cause.message
        }
        PluginLog.error(error.message)
        return error
    }

    /// Takes back a change that a process began and did not live to confirm. False when the service could not be restarted
    /// with the former files: they are in place all the same.
    private func recover(_ files: borrowing ProxyFiles) async throws(PluginError) -> Bool {
        guard files.isUnconfirmed else {
            files.discard()
            return true
        }
        try Self.told { () throws(SystemCallError) in try files.restore() }
        guard !hasTriedToRecover else { return false }
        PluginLog.warning(
            "a change of the proxy was interrupted: the former settings are back, restarting \(options.unit)"
        )
        do throws(ServiceError) {
            let isSet = try Self.step { () throws(SystemCallError) in try files.current() }.configuration != nil
            try await services.restart(options.unit)
            try await confirm(isRunning: isSet)
            try Self.step { () throws(SystemCallError) in try files.forget() }
            return true
        } catch {
            hasTriedToRecover = true
            PluginLog.error("\(options.unit) does not run with the former settings: \(error.cause.message)")
            return false
        }
    }

    private static func told<Value>(_ body: () throws(SystemCallError) -> Value) throws(PluginError) -> Value
    where Value: ~Copyable {
        do throws(SystemCallError) { return try body() } catch { throw error.pluginError }
    }

    private static func step<Value>(_ body: () throws(SystemCallError) -> Value) throws(ServiceError) -> Value {
        do throws(SystemCallError) { return try body() } catch {
            throw ServiceError(error.pluginError, hasBegun: false)
        }
    }
}

extension Array {
    fileprivate var nonEmpty: Self? { isEmpty ? nil : self }
}
