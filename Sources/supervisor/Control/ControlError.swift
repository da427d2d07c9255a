import SupervisorCommandLine

/// Why a command did not succeed: what to print, and how to exit.
struct ControlError: Error, Hashable {
    /// sysexits.h, where it has a code.
    enum Kind: Int32, Hashable, CaseIterable {
        case failed = 1
        /// EX_USAGE
        case usage = 64
        /// EX_UNAVAILABLE
        case unreachable = 69
        /// EX_TEMPFAIL
        case notNow = 75
        /// EX_NOPERM
        case noPermission = 77

        /// For the help.
        var meaning: String {
            switch self {
            case .failed: "the operation failed, or the supervisor refused it"
            case .usage: "wrong usage"
            case .unreachable: "the supervisor cannot be reached, or the connection ended before it answered"
            case .notNow: "an update lock is held, or the supervisor is busy; try again later"
            case .noPermission: "no permission to use the control socket"
            }
        }
    }

    var kind: Kind
    /// One or more lines; empty where all has been said.
    var message: String

    init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    init(_ error: CommandLineError) {
        self.init(.usage, error.message)
    }
}
