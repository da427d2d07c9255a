import JSON
import SupervisorCommandLine

/// Who holds which update lock, for people.
struct LockReport {
    private let locks: [JSONValue]

    /// `locks` is what GET /control/locks answers.
    init(_ locks: [JSONValue]) {
        self.locks = locks
    }

    /// `now` in seconds since 1970.
    func text(now: Int64) -> String {
        locks.isEmpty ? "No update lock is held." : lines(now: now).joined(separator: "\n")
    }

    func lines(now: Int64, indent: Int = 0) -> [String] {
        let rows = locks.map { lock in
            [
                lock["appId"]?.integerValue.map { "\($0)" } ?? "-",
                TerminalText.safe(lock["service"]?.stringValue ?? "(all)"),
                TerminalText.safe(lock["holder"]?.stringValue ?? "-"),
                lock["since"]?.integerValue.map { "\(TerminalText.span(seconds: now - $0))" } ?? "-",
                TerminalText.safe(lock["path"]?.stringValue ?? "-")
                    + (lock["reason"]?.stringValue.map { " (\(TerminalText.safe($0)))" } ?? ""),
            ]
        }
        return TerminalText.columns([["APP", "SERVICE", "HELD BY", "FOR", "PATH"]] + rows, indent: indent)
    }
}
