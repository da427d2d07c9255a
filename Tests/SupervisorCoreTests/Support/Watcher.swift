import JSON
import Testing

@testable import SupervisorCore

/// Reads a stream of the core's to the end, or until it is told to stop.
///
/// `@unchecked Sendable`: only used on the test's one thread.
final class Watcher: @unchecked Sendable {
    private(set) var lines: [JSONValue] = []
    private(set) var hasEnded = false
    let stream: LineStream

    init(_ stream: LineStream, _ bench: Bench) {
        self.stream = stream
        Task(executorPreference: bench.executor) {
            while let bytes = await stream.next() {
                for line in bytes.split(separator: UInt8(ascii: "\n")) {
                    self.lines.append((try? JSONValue(parsing: Array(line))) ?? "no JSON")
                }
            }
            self.hasEnded = true
        }
    }

    /// The names of the events that have come since this was asked last.
    func names() -> [String] {
        defer { lines = [] }
        return lines.map { $0["event"]?.stringValue ?? "-" }
    }

    /// The lines that have come since this was asked last.
    func texts() -> [String] {
        defer { lines = [] }
        return lines.map(\.text)
    }
}
