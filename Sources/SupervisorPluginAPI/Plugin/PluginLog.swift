import Glibc
import LinuxSupport
import Synchronization

/// Writes log lines to standard error with the prefixes of sd-daemon(3), `<0>` to `<7>`.
///
/// A line written within a call begins with the operation and the request id in brackets, because under a socket unit the
/// core never sees the line: `<6>[led.blink 12] text`. Secrets that were made known to `redact(_:)` are replaced.
public enum PluginLog {
    /// By who must act: an operator at once (error), an operator some day (warning), no one (notice for what changes
    /// the host, info for the rest, debug for the plugin's author).
    public enum Level: Int, Sendable {
        case error = 3
        case warning = 4
        case notice = 5
        case info = 6
        case debug = 7
    }

    /// The call that the task belongs to.
    struct Call: Sendable {
        var operation: String
        var id: RequestID
    }

    @TaskLocal static var call: Call?
    private static let secrets = Mutex<[String]>([])

    /// Longer lines are cut: what is written to a pipe in one piece of at most PIPE_BUF bytes is not torn (pipe(7)).
    private static let limit = 4096

    public static func error(_ text: String) { write(.error, text) }
    public static func warning(_ text: String) { write(.warning, text) }
    public static func notice(_ text: String) { write(.notice, text) }
    public static func info(_ text: String) { write(.info, text) }
    public static func debug(_ text: String) { write(.debug, text) }

    /// Never shows `secret` in any later line or error; at most the last 64 are known.
    public static func redact(_ secret: String) {
        guard secret.utf8.count >= 3 else { return }
        secrets.withLock { secrets in
            secrets.removeAll { $0.isExactly(secret) }
            secrets.append(secret)
            if secrets.count > 64 { secrets.removeFirst() }
        }
    }

    static func redacted(_ text: String) -> String {
        Redaction.removing(secrets.withLock { $0 }, from: text)
    }

    private static func write(_ level: Level, _ text: String) {
        var line = "<\(level.rawValue)>"
        if let call { line += "[\(call.operation) \(call.id)] " }
        line += redacted(text)
        var bytes = line.utf8.prefix(limit - 1).map { $0 < 0x20 ? UInt8(ascii: " ") : $0 }
        bytes.append(UInt8(ascii: "\n"))
        // A reader that does not read must not stop the plugin's work: after a second the line is lost.
        var descriptor = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
        guard poll(&descriptor, 1, 1000) > 0 else { return }
        _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
    }
}
