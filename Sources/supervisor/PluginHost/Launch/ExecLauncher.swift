import CLinux
import Glibc
import LinuxSupport

/// Why a plugin could not be started or reached.
struct LaunchError: Error, Sendable, Hashable, CustomStringConvertible {
    var description: String
}

/// Starts a plugin as a child of the core, with one socket as its standard input and output, as a unit with
/// `StandardInput=socket` has it.
struct ExecLauncher: Sendable {
    /// What a launch leaves behind. Both descriptors are the receiver's to close, the child is the receiver's to reap.
    struct Child: Sendable {
        var pid: pid_t
        /// The other end of the child's standard input and output.
        var socket: Int32
        /// The reading end of the child's standard error.
        var diagnostics: Int32
    }

    var path: String
    var arguments: [String]
    /// Soft limit of open files for the child; nil leaves the core's own.
    var descriptorLimit: UInt64?
    var user: uid_t = geteuid()

    /// The environment of a child: nothing of the service manager's, nothing secret.
    static func environment() -> [String] {
        var environment = [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG=C.UTF-8",
            "SWIFT_BACKTRACE=enable=no",
        ]
        if let address = getenv("DBUS_SYSTEM_BUS_ADDRESS") {
            environment.append("DBUS_SYSTEM_BUS_ADDRESS=\(String(cString: address))")
        }
        return environment
    }

    /// Blocks: checks the file and waits for the child's exec.
    func launch() throws(LaunchError) -> Child {
        let executable: Int32
        do throws(ExecutableError) {
            executable = try TrustedExecutable.open(path, user: user)
        } catch {
            throw LaunchError(description: error.description)
        }
        defer { close(executable) }

        var sockets: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &sockets) == 0 else { throw failure("socketpair", errno) }
        var pipes: [Int32] = [-1, -1]
        guard clinux_pipe(&pipes) == 0 else {
            let code = errno
            sockets.forEach { close($0) }
            throw failure("pipe", code)
        }
        let (pid, code) = spawn(executable, sockets[1], pipes[1])
        close(sockets[1])
        close(pipes[1])
        guard code == 0 else {
            close(sockets[0])
            close(pipes[0])
            throw failure("start", code)
        }
        return Child(pid: pid, socket: sockets[0], diagnostics: pipes[0])
    }

    private func spawn(_ executable: Int32, _ inputOutput: Int32, _ diagnostics: Int32) -> (pid: pid_t, code: Int32) {
        // A script's interpreter opens it once more.
        let isScript = Self.isScript(executable)
        var pid: pid_t = 0
        let code = Self.withStrings([path] + arguments) { arguments in
            Self.withStrings(Self.environment()) { environment in
                var request = clinux_spawn(
                    executable: executable,
                    keeps_executable: isScript ? 1 : 0,
                    input_output: inputOutput,
                    diagnostics: diagnostics,
                    descriptor_limit: descriptorLimit ?? 0,
                    arguments: arguments,
                    environment: environment
                )
                return clinux_spawn(&request, &pid)
            }
        }
        return (pid, code)
    }

    /// Whether the file begins with "#!". One that the core may not read is taken for a program, which needs no reading.
    private static func isScript(_ executable: Int32) -> Bool {
        let path = "/proc/self/fd/\(executable)"
        let file = clinux_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0)
        guard file >= 0 else { return false }
        defer { close(file) }
        return (try? Descriptor.readStart(file, path, limit: 2)) == Array("#!".utf8)
    }

    /// As execve(2) wants them: NUL at the end of each, NULL at the end of all.
    private static func withStrings(
        _ strings: [String],
        _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Int32
    ) -> Int32 {
        var pointers = strings.map { strdup($0) }
        pointers.append(nil)
        defer { pointers.forEach { free($0) } }
        return pointers.withUnsafeBufferPointer { buffer in buffer.baseAddress.map(body) ?? ENOMEM }
    }

    private func failure(_ step: String, _ code: Int32) -> LaunchError {
        LaunchError(description: "cannot \(step) \(path): \(String(cString: strerror(code)))")
    }
}
