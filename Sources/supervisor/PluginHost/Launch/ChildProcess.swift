import CLinux
import Glibc

/// A child of the core's until it is reaped. It leads a process group of its own.
struct ChildProcess: Sendable, Hashable {
    let pid: pid_t

    /// How a child ended, in words; nil while it runs. Once it is not nil, the process id is no longer ours.
    ///
    /// Whatever the child left running in its group is killed: the group cannot be taken for another as long as its
    /// leader is not reaped.
    func reap() -> String? {
        var information = siginfo_t()
        guard waitid(P_PID, id_t(pid), &information, WEXITED | WNOHANG | WNOWAIT) == 0 else {
            return errno == ECHILD ? "ended with an unknown status" : nil
        }
        guard information.si_signo == SIGCHLD else { return nil }
        kill(-pid, SIGKILL)
        var status: Int32 = 0
        guard waitpid(pid, &status, WNOHANG) == pid else { return "ended with an unknown status" }
        // As the macros of wait(2).
        let signal = status & 0x7F
        return signal == 0
            ? "ended with status \(status >> 8 & 0xFF)" : "was killed by signal \(signal) (\(Self.name(signal)))"
    }

    func terminate() {
        kill(pid, SIGTERM)
    }

    /// With whatever it has started.
    func destroy() {
        kill(-pid, SIGKILL)
        kill(pid, SIGKILL)
    }

    private static func name(_ signal: Int32) -> String {
        strsignal(signal).map { String(cString: $0) } ?? "unknown"
    }
}
