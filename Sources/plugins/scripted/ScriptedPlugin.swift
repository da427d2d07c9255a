import Glibc
import LinuxSupport
import SupervisorPluginAPI
import SupervisorVersion

/// A plugin that breaks every rule on demand, which is why it does not use `PluginMain`: one thread, one loop over poll(2).
@main
struct ScriptedPlugin {
    private var script = Script()
    private var journal = Journal()
    private var name = "scripted"
    private var operations = ["led.blink"]

    private var reader = Reader()
    private var isStrict = false
    private var servesTerminals = false
    private var isInitialized = false
    private var isReading = true
    private var ignoresEnd = false
    private var ignoresTerm = false
    /// Calls that a cancel still ends.
    private var pending: [RequestID: Behaviour] = [:]
    private var timers: [(at: Int64, what: Timer)] = []
    private var floods: [Flood] = []

    private enum Timer {
        case answer(RequestID, method: String, Behaviour)
        case exit(Int32)
    }

    private struct Flood {
        var descriptor: Int32
        var line: [UInt8]
        /// nil without end.
        var left: Int64?
        var answer: (id: RequestID, method: String, Behaviour)?
    }

    static func main() {
        signal(SIGPIPE, SIG_IGN)
        var plugin = ScriptedPlugin()
        plugin.parse(Array(CommandLine.arguments.dropFirst()))
        if isatty(STDIN_FILENO) == 1, !plugin.servesTerminals {
            Files.write("supervisor-plugin-scripted is a plugin for tests; see --help.\n".utf8, to: STDERR_FILENO)
            exit(2)
        }
        plugin.run()
    }

    private mutating func parse(_ arguments: [String]) {
        var iterator = arguments.makeIterator()
        while let argument = iterator.next() {
            guard argument != "--help" else {
                Files.write(Help.text.utf8, to: STDOUT_FILENO)
                exit(0)
            }
            let options = ["--script", "--journal", "--name", "--operations", "--reader", "--terminal"]
            guard let value = iterator.next(), options.contains(argument) else {
                Files.write("supervisor-plugin-scripted: \(argument) is wrong; see --help\n".utf8, to: STDERR_FILENO)
                exit(64)
            }
            apply(argument.dropFirst(2).prefix(1).uppercased() + argument.dropFirst(3), value)
        }
    }

    private mutating func apply(_ setting: String, _ value: String) {
        switch setting {
        case "Script": script.path = value
        case "Journal": journal.open(value)
        case "Name": name = value
        case "Reader":
            reader = Reader(mode: Reader.Mode(rawValue: value) ?? .frames)
            isStrict = value == "strict"
        case "Terminal": servesTerminals = value == "serve"
        case "Operations": operations = value.split(whereSeparator: \.isWhitespace).map(String.init)
        default: break
        }
    }

    // MARK: The loop

    private mutating func run() -> Never {
        let termination = Termination.watch()
        journal.note("start")
        while true {
            let flooding = floods.map { pollfd(fd: $0.descriptor, events: Int16(POLLOUT), revents: 0) }
            var descriptors =
                [
                    pollfd(fd: termination, events: Int16(POLLIN), revents: 0),
                    pollfd(fd: isReading ? STDIN_FILENO : -1, events: Int16(POLLIN), revents: 0),
                ] + flooding
            let next = timers.map(\.at).min()
            let timeout = next.map { Int32(max(0, min($0 - Clock.milliseconds, 60_000))) } ?? -1
            poll(&descriptors, nfds_t(descriptors.count), timeout)
            if descriptors[0].revents != 0 {
                _ = try? Descriptor.readOnce(termination, "the signal pipe", upTo: 1)
                terminate()
            }
            if descriptors[1].revents != 0 {
                let bytes = (try? Descriptor.readOnce(STDIN_FILENO, "standard input", upTo: 65536)) ?? []
                if bytes.isEmpty { end() } else { take(bytes[...]) }
            }
            for (index, descriptor) in descriptors.dropFirst(2).enumerated().reversed() where descriptor.revents != 0 {
                flood(index)
            }
            fire()
        }
    }

    private mutating func take(_ bytes: ArraySlice<UInt8>) {
        for line in reader.lines(bytes) {
            do throws(FrameError) {
                receive(try reader.frame(try line.get()))
            } catch {
                journal.note("invalid", ["reason": .string(error.reason)])
                let code: PluginError.Code = error.kind == .parse ? .parseError : .invalidRequest
                let good = Frame.failure(id: error.id, PluginError(code: code, error.reason)).encoded()
                guard let behaviour = script.next(["(invalid)"]) else {
                    Files.write(good, to: STDOUT_FILENO)
                    continue
                }
                begin(error.id ?? .number(0), "(invalid)", behaviour)
            }
        }
    }

    private mutating func fire() {
        let now = Clock.milliseconds
        while let index = timers.firstIndex(where: { $0.at <= now }) {
            switch timers.remove(at: index).what {
            case .answer(let id, let method, let behaviour):
                guard pending.removeValue(forKey: id) != nil else { continue }
                answer(id, method, behaviour)
            case .exit(let status): finish(status)
            }
        }
    }

    /// Writes some of a flood: at most PIPE_BUF bytes, which cannot block where poll(2) says that it is writable.
    private mutating func flood(_ index: Int) {
        for _ in 0..<20 {
            if floods[index].left == 0 {
                let done = floods.remove(at: index)
                if let (id, method, behaviour) = done.answer { answer(id, method, behaviour) }
                return
            }
            guard Files.write(floods[index].line, to: floods[index].descriptor) else {
                floods.remove(at: index)
                return
            }
            floods[index].left = floods[index].left.map { $0 - 1 }
        }
    }

    // MARK: What comes

    private mutating func receive(_ frame: Frame) {
        switch frame {
        case .request(let id, let method, let parameters):
            if method == PluginInitialize.name { apply(settings: parameters) }
            journal.note(
                "received",
                ["method": .string(method), "id": id.json, "params": .object(parameters)]
            )
            call(id, method, parameters)
        case .notification(let method, let parameters):
            journal.note("received", ["method": .string(method), "params": .object(parameters)])
            notified(method, parameters)
        case .result, .failure:
            journal.note("response", ["frame": frame.json])
        }
    }

    private mutating func apply(settings parameters: JSONObject) {
        for setting in parameters["settings"]?.objectValue ?? [:] {
            guard let value = setting.value.stringValue else { continue }
            apply(setting.name, value)
        }
    }

    private mutating func call(_ id: RequestID, _ method: String, _ parameters: JSONObject) {
        var keys = [method]
        var good = Behaviour.good
        let isOperation = operations.contains(method)
        if method == PluginInitialize.name {
            let versions = parameters["protocolVersions"]?.arrayValue ?? []
            if !versions.contains(.integer(PluginProtocol.version)) {
                keys.insert("(version)", at: 0)
                good = .failing(.unsupportedVersion, "this plugin speaks version 1")
            } else if isInitialized {
                keys.insert("(again)", at: 0)
                good = .failing(.invalidRequest, "initialized already")
            }
        } else if !isInitialized {
            keys = ["(uninitialized)"]
            good = .failing(.notInitialized, "not initialized")
        } else if isOperation {
            keys.append("*")
        } else if method != PluginPing.name, method != PluginShutdown.name {
            keys.append("(unknown)")
            good = .failing(.methodNotFound, "no such method")
        }
        if isStrict, Reader.hasUnknown(parameters) {
            keys = ["(strict)"]
            good = .failing(.invalidParams, "unknown member or setting")
        }
        // The good answer to a wrong handshake is an error, whatever the script says of good handshakes.
        if keys.count > 1, method == PluginInitialize.name { keys.removeLast() }
        begin(id, method, script.next(keys) ?? good)
    }

    private mutating func notified(_ method: String, _ parameters: JSONObject) {
        switch method {
        case PluginCancel.name:
            let behaviour = script.next(["(cancel)"]) ?? .good
            if !act(behaviour) || behaviour.has("ignore") { return }
            guard let cancel = try? PluginCancel(json: parameters), let call = pending[cancel.id] else { return }
            guard !call.ignoresCancel else { return }
            pending[cancel.id] = nil
            let error = Frame.failure(id: cancel.id, PluginError(code: .cancelled, "cancelled")).encoded()
            for _ in 0..<(call.has("cancelTwice") ? 2 : 1) { Files.write(error, to: STDOUT_FILENO) }
        case PluginInitialized.name:
            guard parameters["accepted"]?.boolValue == false else { return }
            leave("(refused)")
        default: _ = act(script.next(["(notification)"]) ?? .good)
        }
    }

    private mutating func end() {
        journal.note("end", ["partialLine": .bool(reader.hasPartialLine)])
        isReading = false
        if !ignoresEnd { leave("(end)") }
    }

    private mutating func terminate() {
        journal.note("terminate")
        if !ignoresTerm { leave("(terminate)") }
    }

    private mutating func leave(_ key: String) {
        let behaviour = script.next([key]) ?? .good
        guard act(behaviour), !behaviour.has("ignore") else { return }
        guard let delay = behaviour.delay else { finish(0) }
        timers.append((Clock.milliseconds + delay, .exit(0)))
    }

    private mutating func finish(_ status: Int32) -> Never {
        journal.note("exit", ["status": .integer(Int64(status))])
        _exit(status)
    }

    // MARK: What it does

    private mutating func begin(_ id: RequestID, _ method: String, _ behaviour: Behaviour) {
        if !behaviour.json.isEmpty {
            journal.note("behaviour", ["method": .string(method), "does": .object(behaviour.json)])
        }
        guard act(behaviour) else { return }
        if let flood = behaviour.json["flood"], behaviour.has("flood") {
            let line = Frame.notification(
                method: TCPPingState.changedNotification,
                parameters: TCPPingState(isEnabled: true, isConnected: true).json
            )
            floods.append(
                Flood(
                    descriptor: STDOUT_FILENO,
                    line: line.encoded(),
                    left: flood.integerValue,
                    answer: (id, method, behaviour)
                )
            )
        } else if behaviour.waitsForever {
            pending[id] = behaviour
        } else if let delay = behaviour.delay {
            pending[id] = behaviour
            timers.append((Clock.milliseconds + delay, .answer(id, method: method, behaviour)))
        } else {
            answer(id, method, behaviour)
        }
    }

    /// What is done before the answer; false where there is to be none.
    private mutating func act(_ behaviour: Behaviour) -> Bool {
        if behaviour.has("ignoreEnd") { ignoresEnd = true }
        if behaviour.has("ignoreTerm") { ignoresTerm = true }
        if let delay = behaviour.integer("exitAfter") { timers.append((Clock.milliseconds + delay, .exit(0))) }
        if let text = behaviour.text("stderrText") { Files.write("\(text)\n".utf8, to: STDERR_FILENO) }
        if behaviour.has("floodErr") {
            let line = Array("<6>a line of a flood that nobody wants to read\n".utf8)
            let count = behaviour.integer("floodErr")
            floods.append(Flood(descriptor: STDERR_FILENO, line: line, left: count))
        }
        if behaviour.has("garbage") {
            Files.write("\(behaviour.text("garbage") ?? "Segmentation fault? No: garbage.")\n".utf8, to: STDOUT_FILENO)
        }
        if let text = behaviour.text("stdoutText") { Files.write(text.utf8, to: STDOUT_FILENO) }
        for notification in behaviour.json["notify"].map({ $0.arrayValue ?? [$0] }) ?? [] {
            guard let method = notification["method"]?.stringValue else { continue }
            let parameters = notification["params"]?.objectValue ?? [:]
            Files.write(Frame.notification(method: method, parameters: parameters).encoded(), to: STDOUT_FILENO)
        }
        return !breaks(behaviour)
    }

    /// Does what stands in the place of an answer.
    private mutating func breaks(_ behaviour: Behaviour) -> Bool {
        if behaviour.has("crash") { kill(getpid(), SIGKILL) }
        if let status = behaviour.integer("exit") { finish(Int32(truncatingIfNeeded: status)) }
        if behaviour.has("block") { while true { sleep(3600) } }
        if behaviour.has("closeOutput") {
            // The other end of a socket sees only this.
            shutdown(STDOUT_FILENO, Int32(SHUT_WR))
            close(STDOUT_FILENO)
        }
        if behaviour.has("closeInput") {
            isReading = false
            shutdown(STDIN_FILENO, Int32(SHUT_RD))
            close(STDIN_FILENO)
        }
        if behaviour.has("stopReading") { isReading = false }
        return ["closeOutput", "closeInput", "stopReading", "silent"].contains { behaviour.has($0) }
    }

    private mutating func answer(_ id: RequestID, _ method: String, _ behaviour: Behaviour) {
        var line = Answer(id: id, behaviour, result: result(of: method, behaviour)).line
        if behaviour.has("twice") { line += line }
        if let count = behaviour.integer("dieAfterBytes") {
            Files.write(line.prefix(Int(max(0, count))), to: STDOUT_FILENO)
            finish(1)
        }
        Files.write(line, to: STDOUT_FILENO)
        let isError = behaviour.has("error")
        if method == PluginInitialize.name, !isError { isInitialized = true }
        if method == PluginShutdown.name, !isError, !behaviour.has("ignoreEnd") { finish(0) }
    }

    private func result(of method: String, _ behaviour: Behaviour) -> JSONValue {
        if let reply = behaviour.json["reply"] { return reply }
        switch method {
        case PluginInitialize.name: return .object(handshake(behaviour).json)
        case PluginPing.name: return .object(PluginPing.Reply(isReady: true).json)
        default: return [:]
        }
    }

    private func handshake(_ behaviour: Behaviour) -> PluginInitialize.Reply {
        var names = operations
        if behaviour.has("extraOperation") { names.append(behaviour.text("extraOperation") ?? PowerReboot.name) }
        let version = behaviour.has("badVersion") ? behaviour.integer("badVersion") ?? 99 : PluginProtocol.version
        return PluginInitialize.Reply(
            protocolVersion: version,
            pluginName: behaviour.has("wrongName") ? behaviour.text("wrongName") ?? "somebody-else" : name,
            pluginVersion: Version.text,
            operations: names.map {
                let isIdempotent = $0 != PowerReboot.name && $0 != PowerPowerOff.name
                return .init(name: $0, isIdempotent: isIdempotent != behaviour.has("wrongIdempotent"))
            }
        )
    }
}

extension Behaviour {
    static func failing(_ code: PluginError.Code, _ message: String) -> Behaviour {
        Behaviour(json: ["error": ["code": .integer(code.rawValue), "message": .string(message)]])
    }
}
