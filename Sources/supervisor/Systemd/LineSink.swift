import Glibc
import LinuxSupport
import Logging
import Synchronization

/// A descriptor that takes log lines, standard error as a rule, and that never holds up the process.
///
/// Other processes share standard error, so it is not made non-blocking; instead each line is written only when poll(2)
/// says that there is room, and is at most PIPE_BUF bytes long, for which a writable pipe always has room (pipe(7)). That
/// also keeps the lines of several processes apart. (Another process that fills the pipe between the two calls may make
/// us wait for the reader once.) A line that there is no room for is dropped and counted; the next one that gets through
/// is preceded by one that says how many are missing.
public final class LineSink: Sendable {
    /// PIPE_BUF of limits.h.
    static let longestLine = 4096

    private let descriptor: Int32
    private let isTerminal: Bool
    private let dropped = Mutex(0)

    /// Does not own `descriptor`.
    public convenience init(descriptor: Int32) {
        self.init(descriptor: descriptor, isTerminal: isatty(descriptor) == 1)
    }

    init(descriptor: Int32, isTerminal: Bool) {
        self.descriptor = descriptor
        self.isTerminal = isTerminal
    }

    func write(_ text: String, level: Logger.Level) {
        let line = line(text, level)
        dropped.withLock { dropped in
            if dropped > 0 {
                let confession = self.line("\(dropped) log messages were dropped: standard error was full", .warning)
                guard hasRoom, put(confession) else {
                    dropped += 1
                    return
                }
                dropped = 0
            }
            guard hasRoom, put(line) else {
                dropped += 1
                return
            }
        }
    }

    private func line(_ text: String, _ level: Logger.Level) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count + 16)
        let prefix = isTerminal ? "\(level.rawValue): " : "<\(LogText.priority(level))>"
        bytes.append(contentsOf: prefix.utf8)
        LogText.appendOneLine(text, to: &bytes)
        LogText.shorten(&bytes, to: Self.longestLine - 1)
        bytes.append(0x0A)
        return bytes
    }

    private var hasRoom: Bool {
        var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return poll(&request, 1, 0) == 1 && request.revents & Int16(POLLOUT) != 0
    }

    private func put(_ bytes: [UInt8]) -> Bool {
        // `bootstrapLogging` has SIGPIPE ignored; a reader that is gone is an error like any other.
        ((try? Descriptor.writeOnce(bytes[...], to: descriptor, "standard error")) ?? 0) > 0
    }
}
