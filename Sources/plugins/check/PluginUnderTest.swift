import Glibc
import LinuxSupport
import SupervisorPluginAPI

/// One run of the plugin and the exchange with it. Every wait has a time limit.
final class PluginUnderTest {
    private let launch: Launch
    private let violations: Violations
    let timeout: Int64

    private var splitter = FrameSplitter()
    private var inbox: [Frame] = []
    private(set) var notifications: [Frame] = []
    private var lastID: Int64 = 0
    private var isInputOpen = true
    private var isOutputOpen = true
    private var isLogOpen: Bool
    private var status: Int32?
    /// The last of what it wrote to standard error, or to the terminal.
    private(set) var log: [UInt8] = []

    /// More than the 5 s of the protocol, for machines under load.
    static let exitTime: Int64 = Int64(PluginProtocol.exitTime) * 1000 + 500

    init(_ launch: Launch, _ violations: Violations, timeout: Int64) {
        self.launch = launch
        self.violations = violations
        self.timeout = timeout
        isLogOpen = launch.log != nil
        for descriptor in [launch.input, launch.output] + (launch.log.map { [$0] } ?? []) {
            _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        }
    }

    // MARK: Sending

    func nextID() -> RequestID {
        lastID += 1
        return .number(lastID)
    }

    func send(_ frames: Frame...) throws(CheckError) {
        try send(bytes: frames.flatMap { $0.encoded() })
    }

    /// Reads meanwhile: a plugin may answer before it has read everything.
    func send(bytes: [UInt8]) throws(CheckError) {
        let end = Clock.now + max(timeout, 10_000)
        var rest = bytes[...]
        while !rest.isEmpty {
            do throws(SystemCallError) {
                rest = rest.dropFirst(try Descriptor.writeOnce(rest, to: launch.input, "its input"))
            } catch {
                // Anything else is tried again until the time is up.
                if error.code == EPIPE || error.code == ECONNRESET {
                    throw .failed("no longer reads its input\(ending)")
                }
            }
            guard Clock.now < end else { throw .failed("does not read its input") }
            if !rest.isEmpty { pump(until: min(end, Clock.now + 1000), alsoWritable: true) }
        }
    }

    func endInput() {
        guard isInputOpen else { return }
        isInputOpen = false
        if launch.input == launch.output { shutdown(launch.input, Int32(SHUT_WR)) } else { close(launch.input) }
    }

    func signal(_ number: Int32) {
        if let process = launch.process, !hasExited { kill(process, number) }
    }

    // MARK: Receiving

    /// The answer to `id`; nil means an error whose id is null, which `orNull` accepts, too.
    func answer(to id: RequestID?, within time: Int64? = nil, orNull: Bool = false) throws(CheckError) -> Frame {
        let end = Clock.now + (time ?? timeout)
        while true {
            let index = inbox.firstIndex { $0.answeredID == .some(id) || (orNull && $0.answeredID == .some(nil)) }
            if let index { return inbox.remove(at: index) }
            guard isOutputOpen else { throw .failed("closed its output instead of answering\(ending)") }
            let left = end - Clock.now
            guard left > 0 else {
                let stray = inbox.last.map { "; received instead: \(Self.short($0.encoded()))" } ?? ""
                throw .failed("no answer to the id \(id?.json.text ?? "null") within \(time ?? timeout) ms\(stray)")
            }
            pump(until: end)
        }
    }

    /// Whether an answer to `id` has come within the time; it stays where it is.
    func hasAnswer(to id: RequestID, within time: Int64) -> Bool {
        let end = Clock.now + time
        while true {
            if inbox.contains(where: { $0.answeredID == .some(id) }) { return true }
            guard isOutputOpen, Clock.now < end else { return false }
            pump(until: end)
        }
    }

    var hasNullAnswer: Bool {
        pump(until: Clock.now)
        return inbox.contains { $0.answeredID == .some(nil) }
    }

    /// Takes what comes in that time.
    func settle(_ time: Int64) {
        let end = Clock.now + time
        while Clock.now < end, isOutputOpen || isLogOpen { pump(until: end) }
    }

    /// The exit status as waitpid(2) has it, or nil if it does not end in time. For a socket: 0 once it has closed.
    func exit(within time: Int64) -> Int32? {
        let end = Clock.now + time
        while true {
            if launch.process == nil {
                if !isOutputOpen { return 0 }
            } else if hasExited {
                return status
            }
            guard Clock.now < end else { return nil }
            pump(until: min(end, Clock.now + 10))
        }
    }

    /// Ends it in an orderly way, or else by force. Returns whether it has ended by itself.
    ///
    /// - Parameter hasFailed: whether the check has failed, which explains unexpected answers.
    func dispose(within time: Int64, hasFailed: Bool) -> Bool {
        settle(30)
        for frame in inbox where !hasFailed {
            violations.note(.answer, "unexpected answer: \(Self.short(frame.encoded()))")
        }
        endInput()
        let hasEnded = exit(within: time) != nil
        if !hasEnded, let process = launch.process {
            kill(-process, SIGKILL)
            waitpid(process, nil, 0)
        } else {
            settle(20)
            // What it has left behind, such as a background job.
            if let process = launch.process { kill(-process, SIGKILL) }
        }
        if splitter.hasPartialLine, launch.log != nil {
            violations.note(.notFrame, "bytes without a line feed at the end")
        }
        if isInputOpen || launch.input == launch.output { close(launch.input) }
        if launch.output != launch.input { close(launch.output) }
        if let log = launch.log { close(log) }
        return hasEnded
    }

    // MARK: The loop

    private func pump(until end: Int64, alsoWritable: Bool = false) {
        var descriptors = [
            pollfd(fd: isOutputOpen ? launch.output : -1, events: Int16(POLLIN), revents: 0),
            pollfd(fd: isLogOpen ? launch.log ?? -1 : -1, events: Int16(POLLIN), revents: 0),
            pollfd(fd: alsoWritable ? launch.input : -1, events: Int16(POLLOUT), revents: 0),
        ]
        guard poll(&descriptors, 3, Int32(max(0, min(end - Clock.now, 1000)))) > 0 else { return }
        if descriptors[0].revents != 0 {
            let bytes = Self.receive(launch.output, &isOutputOpen)
            if !bytes.isEmpty { take(bytes[...]) }
        }
        if descriptors[1].revents != 0, let descriptor = launch.log {
            log = Array((log + Self.receive(descriptor, &isLogOpen)).suffix(4096))
        }
    }

    /// What is there at present. Notes the end.
    private static func receive(_ descriptor: Int32, _ isOpen: inout Bool) -> [UInt8] {
        do throws(SystemCallError) {
            guard let bytes = try Descriptor.readOnce(descriptor, "its output", upTo: 65536) else { return [] }
            isOpen = !bytes.isEmpty
            return bytes
        } catch {
            isOpen = false
            return []
        }
    }

    private func take(_ bytes: ArraySlice<UInt8>) {
        splitter.append(bytes) { line in
            do throws(FrameError) {
                let line = try line.get()
                do throws(FrameError) {
                    take(try Frame(parsing: line), line)
                } catch {
                    let isObject = (try? JSONValue(parsing: line))?.objectValue != nil
                    violations.note(isObject ? .envelope : .notFrame, "\(error.reason): \(Self.short(line))")
                }
            } catch {
                violations.note(.size, error.reason)
            }
        }
    }

    private func take(_ frame: Frame, _ line: [UInt8]) {
        switch frame {
        case .request: violations.note(.call, Self.short(line))
        case .notification: notifications.append(frame)
        case .result(_, let value):
            if value.objectValue == nil { violations.note(.envelope, "result is not an object: \(Self.short(line))") }
            inbox.append(frame)
        case .failure(_, let error):
            if let fault = Self.fault(error) { violations.note(.error, "\(fault): \(Self.short(line))") }
            inbox.append(frame)
        }
    }

    private static func fault(_ error: PluginError) -> String? {
        let known: Set<Int64> = [-32700, -32600, -32601, -32602, -32603, -32000, -32001, -32002, -32003]
        guard known.contains(error.code.rawValue) else { return "\(error.code.rawValue) is not a code of the protocol" }
        if error.message.isEmpty || error.message.utf8.contains(0x0A) { return "the message is not one line" }
        guard error.code == .operationFailed else { return nil }
        guard let reason = error.reason?.rawValue else { return "-32000 without data.reason" }
        return Contract.reasons.contains(reason) ? nil : "\(reason) is not a reason of the protocol"
    }

    // MARK: The process

    private var hasExited: Bool {
        if status != nil { return true }
        guard let process = launch.process else { return false }
        var code: Int32 = 0
        guard waitpid(process, &code, WNOHANG) == process else { return false }
        status = code
        return true
    }

    /// For messages: how it ended, if it has.
    private var ending: String {
        guard launch.process != nil, let status = exit(within: 200) else { return "" }
        return ": it \(Self.describe(status))"
    }

    static func describe(_ status: Int32) -> String {
        status & 0x7F == 0 ? "exited with \(status >> 8 & 0xFF)" : "was killed by signal \(status & 0x7F)"
    }

    static func short(_ line: [UInt8]) -> String {
        let text = String(decoding: line.prefix(200), as: UTF8.self)
        return String(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : Character($0) })
            + (line.count > 200 ? "…" : "")
    }
}

extension Frame {
    /// nil for a frame that is not a response; .some(nil) for one with the id null.
    var answeredID: RequestID?? {
        switch self {
        case .result(let id, _): .some(id)
        case .failure(let id, _): .some(id)
        case .request, .notification: .none
        }
    }
}
