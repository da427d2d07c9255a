import Glibc
import JSON
import LinuxSupport
import SupervisorCommandLine

struct CallCommand: ControlCommand {
    static let syntax = CommandSyntax(
        name: "call",
        abstract: "Call an operation of a plugin and print the result as JSON.",
        discussion: """
            For plugin authors and troubleshooting: superctl call led.blink '{"durationMs":500}'. Nothing protects the \
            applications here: power.reboot reboots even while an update lock is held.
            """,
        operands: [
            OperandSyntax(
                name: "OPERATION",
                kind: .operation,
                isRequired: true,
                help: "The operation, such as led.blink."
            ),
            OperandSyntax(
                name: "PARAMETERS",
                kind: .json,
                help: """
                    Its parameters, a JSON object; - reads them from standard input, which is safer for secrets.
                    """
            ),
        ],
        options: [.record]
    )

    private let operation: String
    private let parameters: String
    private let record: String?

    init(_ arguments: CommandArguments) {
        operation = arguments.operands[0]
        parameters = arguments.operands.dropFirst().first ?? "{}"
        record = arguments.value(of: .record)
    }

    func act(_ client: ControlClient) async throws(ControlError) -> String {
        // Before anything else, so that nothing is done in vain.
        let file = try record.map { path throws(ControlError) in try FrameFile(path) }
        defer { file?.close() }
        let answer = try await client.postJSON(
            "/control/call",
            [
                "operation": .string(operation),
                "parameters": .object(try parsedParameters()),
                "record": .bool(record != nil),
            ]
        )
        try file?.write(answer["frames"]?.arrayValue ?? [])
        if let error = answer["error"] { throw ControlError(.failed, Self.text(of: error)) }
        return (answer["result"] ?? .null).text
    }

    private func parsedParameters() throws(ControlError) -> JSONObject {
        let json: JSONValue
        do throws(JSONParseError) {
            json = try parameters == "-" ? JSONValue(parsing: Self.standardInput()) : JSONValue(parsing: parameters)
        } catch {
            throw ControlError(.usage, "the parameters are not JSON: \(error)")
        }
        guard let object = json.objectValue else {
            throw ControlError(.usage, "the parameters are not a JSON object")
        }
        return object
    }

    /// One byte more than the parser takes, at most.
    private static func standardInput() -> [UInt8] {
        (try? Descriptor.readStart(STDIN_FILENO, "standard input", limit: 1 << 20 + 1)) ?? []
    }

    /// What went wrong, in one line and those that the plugin adds.
    static func text(of error: JSONValue) -> String {
        let reason = error["reason"]?.stringValue.map { " (\($0))" } ?? ""
        var lines = [(error["message"]?.stringValue ?? "failed") + reason]
        if let detail = error["detail"]?.stringValue { lines.append(detail) }
        if let source = error["source"]?.stringValue { lines.append("reported by \(source)") }
        if error["outcomeUnknown"]?.boolValue == true { lines.append("It is not known whether it was done.") }
        return TerminalText.safe(lines.joined(separator: "\n"))
    }
}

/// A file with a line of JSON for each frame, accessible only to its owner.
final class FrameFile {
    private let path: String
    private let descriptor: Int32

    /// Truncates an existing file. Does not write through a link.
    init(_ path: String) throws(ControlError) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0, fchmod(descriptor, 0o600) == 0 else {
            throw ControlError(.failed, "\(path) cannot be written: \(String(cString: strerror(errno)))")
        }
    }

    func write(_ frames: [JSONValue]) throws(ControlError) {
        var bytes: [UInt8] = []
        for frame in frames {
            frame.encode(into: &bytes)
            bytes.append(UInt8(ascii: "\n"))
        }
        do throws(SystemCallError) {
            try Descriptor.writeAll(bytes, to: descriptor, path)
        } catch {
            throw ControlError(.failed, "\(path) cannot be written: \(error.reason)")
        }
    }

    func close() {
        Glibc.close(descriptor)
    }
}

extension OptionSyntax {
    fileprivate static let record = OptionSyntax(
        name: "record",
        value: ValueSyntax(name: "FILE", kind: .file),
        help: "Write the frames that were exchanged to FILE, without secrets."
    )
}
