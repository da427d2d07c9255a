import Glibc
import LinuxSupport
import TestSupport

/// A unix socket that answers one connection after the other by a script. Status 0 closes without an answer.
final class ScriptedSupervisor {
    let path: String
    /// As "METHOD TARGET BODY".
    private(set) var requests: [String] = []

    private let listener: Int32
    private let folder = TemporaryDirectory()
    private var answers: ArraySlice<(status: Int, body: String)>

    init(_ answers: [(status: Int, body: String)]) throws {
        self.answers = answers[...]
        path = folder["control.sock"]
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard UnixSocketAddress(path: path)?.bind(listener) == 0, listen(listener, 8) == 0 else {
            throw SystemFailure(call: "bind")
        }
    }

    deinit {
        close(listener)
    }

    /// Answers until the program ends.
    func serve(until program: Program) throws {
        while true {
            var waits = [
                pollfd(fd: listener, events: Int16(POLLIN), revents: 0),
                pollfd(fd: program.endOfOutput, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&waits, 2, 30_000) > 0 else { throw SystemFailure(call: "poll") }
            guard waits[0].revents != 0 else { return }
            let connection = accept(listener, nil, nil)
            guard connection >= 0 else { throw SystemFailure(call: "accept") }
            defer { close(connection) }
            requests.append(Self.readRequest(connection))
            guard let answer = answers.popFirst(), answer.status != 0 else { continue }
            let length = answer.status == 204 ? "" : "Content-Length: \(answer.body.utf8.count)\r\n"
            let bytes = Array("HTTP/1.1 \(answer.status) X\r\n\(length)\r\n\(answer.body)".utf8)
            send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        }
    }

    private static func readRequest(_ connection: Int32) -> String {
        var text = ""
        var bytes = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(connection, &bytes, bytes.count)
            guard count > 0 else { return text }
            text += String(decoding: bytes.prefix(count), as: UTF8.self)
            let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { continue }
            let lines = parts[0].split(separator: "\r\n")
            let lengths = lines.filter { $0.lowercased().hasPrefix("content-length:") }
            let length = lengths.first.flatMap { Int($0.split(separator: " ")[1]) } ?? 0
            guard parts[1].utf8.count >= length else { continue }
            return lines[0].split(separator: " ").prefix(2).joined(separator: " ") + " " + parts[1]
        }
    }
}
