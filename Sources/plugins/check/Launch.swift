import CLinux
import Glibc
import LinuxSupport

/// The descriptors of a started plugin, and its process where it is ours.
struct Launch {
    /// Written by us; the same as `output` for a socket.
    var input: Int32
    var output: Int32
    /// nil for a socket, whose unit writes to the journal.
    var log: Int32?
    var process: pid_t?

    /// Starts the executable with three pipes, in a process group of its own. nil with errno.
    static func spawn(_ path: String) -> Launch? {
        guard let input = pipe(), let output = pipe(), let log = pipe() else { return nil }
        defer { for end in [input.read, output.write, log.write] { close(end) } }
        guard let process = spawn(path, input.read, output.write, log.write) else {
            for end in [input.write, output.read, log.read] { close(end) }
            return nil
        }
        return Launch(input: input.write, output: output.read, log: log.read, process: process)
    }

    /// Starts the executable with a terminal as its standard input and output. nil with errno.
    static func spawnOnTerminal(_ path: String) -> Launch? {
        var controller: Int32 = -1
        var terminal: Int32 = -1
        guard clinux_open_terminal(&controller, &terminal) == 0, let log = pipe() else { return nil }
        defer { for end in [terminal, log.write] { close(end) } }
        guard let process = spawn(path, terminal, terminal, log.write) else { return nil }
        return Launch(input: controller, output: controller, log: log.read, process: process)
    }

    /// nil with errno.
    static func connect(_ path: String) -> Launch? {
        guard let address = UnixSocketAddress(path: path) else {
            errno = ENAMETOOLONG
            return nil
        }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        guard address.connect(descriptor) == 0 else {
            close(descriptor)
            return nil
        }
        return Launch(input: descriptor, output: descriptor)
    }

    private static func pipe() -> (read: Int32, write: Int32)? {
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else { return nil }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    private static func spawn(_ path: String, _ input: Int32, _ output: Int32, _ log: Int32) -> pid_t? {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, log, STDERR_FILENO)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // We ignore SIGPIPE; the plugin decides by itself.
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETPGROUP))
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup(path), nil]
        defer { free(arguments[0]) }
        var process: pid_t = 0
        let code = posix_spawn(&process, path, &actions, &attributes, &arguments, environ)
        errno = code
        return code == 0 ? process : nil
    }
}
