import ArgumentParser

/// Why a command did not succeed: what to tell the user, and how to exit.
struct ControlFailure: Error, Hashable {
    /// sysexits.h, where it has a code.
    enum Kind: Int32, Hashable {
        case failed = 1
        /// EX_USAGE
        case usage = 64
        /// EX_UNAVAILABLE
        case unreachable = 69
        /// EX_TEMPFAIL
        case notNow = 75
        /// EX_NOPERM
        case noPermission = 77
    }

    var kind: Kind
    /// One or more lines; empty where all has been said.
    var message: String

    init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    var exitCode: ExitCode { ExitCode(kind.rawValue) }
}
