import CLinux
import Glibc
public import Logging

/// Where log messages go.
public enum LogDestination: Sendable, Hashable {
    case journal
    case standardError
}

/// Sets swift-log up for the process: the journal where standard error is connected to it, standard error otherwise.
/// Call it once, before the first `Logger` is made.
///
/// SIGPIPE is ignored from then on: the reader of our standard error may end, and the process must survive that. A
/// child inherits this; the code that spawns it restores the default (posix_spawnattr_setsigdefault(3)).
@discardableResult
public func bootstrapLogging(level: Logger.Level) -> LogDestination {
    signal(SIGPIPE, SIG_IGN)
    let stream = getenv("JOURNAL_STREAM").map { String(cString: $0) }
    if isJournalStream(STDERR_FILENO, stream), let journal = JournalSocket() {
        LoggingSystem.bootstrap { _ in JournalLogHandler(journal: journal, level: level) }
        return .journal
    }
    let sink = LineSink(descriptor: STDERR_FILENO)
    LoggingSystem.bootstrap { _ in StandardErrorLogHandler(sink: sink, level: level) }
    return .standardError
}

/// Whether `descriptor` is the stream that `variable`, the value of JOURNAL_STREAM, names: device and inode in decimal
/// with a colon between them (systemd.exec(5)). The variable alone says nothing, since it is inherited by processes whose
/// standard error was redirected.
func isJournalStream(_ descriptor: Int32, _ variable: String?) -> Bool {
    guard let parts = variable?.split(separator: ":", omittingEmptySubsequences: false), parts.count == 2,
        let device = UInt64(parts[0]), let inode = UInt64(parts[1])
    else { return false }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return false }
    return UInt64(status.st_dev) == device && UInt64(status.st_ino) == inode
}
