internal import JSON
internal import LinuxSupport
internal import NIOCore
internal import SupervisorCore
internal import SupervisorPorts
internal import UnixHTTP

/// Reads the stream of `GET /events`.
struct EventConsumer: BodyConsumer {
    private let handle: @Sendable (EngineEvent) -> Void
    /// Events carry all labels of their container, and those of its image. What we need of them is short.
    private var strings = LongStringFilter(limit: 4096)
    private var lines = LineSplitter(limit: 1 << 20)

    /// Why the stream is malformed.
    private(set) var failure: EngineError?

    init(handle: @escaping @Sendable (EngineEvent) -> Void) {
        self.handle = handle
    }

    mutating func begin() {
        handle(.connected)
    }

    mutating func receive(_ bytes: ByteBuffer) -> BodyDecision {
        lines.append(bytes.withUnsafeReadableBytes { strings.filter($0) })
        while failure == nil {
            do {
                guard let line = try lines.next() else { break }
                LoopWatch.shared.run("an event of the engine") { take(line) }
            } catch {
                // One container with many labels must not cut us off from the others.
                lines.skip()
                handle(.skipped)
            }
        }
        return failure == nil ? .proceed : .stop
    }

    private mutating func take(_ line: [UInt8]) {
        do {
            let message = try JSONValue(parsing: line)
            if let event = EngineEvent(message) { handle(event) }
        } catch {
            failure = EngineError(.malformedAnswer, "an event is not JSON: \(error)")
        }
    }
}

extension EngineEvent {
    /// Attributes that the engines add to the labels.
    private static let notLabels: Set<String> = [
        "containerExitCode", "execDuration", "execID", "exitCode", "health_status", "image", "name", "podId", "signal",
    ]

    /// nil for what is not an event of a container.
    init?(_ message: JSONValue) {
        // `status`, `id` and `from` at the top are older and gone from version 1.52 on.
        guard message["Type"]?.plainValue == "container", let actor = message["Actor"],
            let id = actor["ID"]?.plainValue, let action = message["Action"]?.plainValue
        else { return nil }
        var labels: [String: String] = [:]
        for member in actor["Attributes"]?.objectValue ?? [:] {
            guard let value = member.labelValue, !Self.notLabels.contains(member.name) else { continue }
            labels[member.name] = value
        }
        // podman's own words, which its compatible API lets through.
        let words = ["died": "die", "remove": "destroy"]
        // docker says what the check said as well, "health_status: unhealthy"; podman has it in an attribute.
        let word = action.begins(with: "health_status") ? "health_status" : words[action] ?? action
        let attributes = actor["Attributes"]
        // podman has its own attribute in every event, "0" unless the container died.
        let code = attributes?["exitCode"]?.plainValue ?? attributes?["containerExitCode"]?.plainValue
        let exitCode = word == "die" ? code.flatMap { Int($0) } : nil
        let name = attributes?["name"]?.stringValue ?? ""
        self = .container(id: id, action: word, exitCode: exitCode, labels: labels, name: name)
    }
}
