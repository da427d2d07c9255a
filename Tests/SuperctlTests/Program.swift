import Glibc

struct SystemFailure: Error {
    var call: String
    var code = errno
}

/// A run of superctl: the binary beside the one that runs the tests.
final class Program {
    private(set) var output = ""
    private(set) var errors = ""

    private let process: pid_t
    private let outputEnd: Int32
    private let errorEnd: Int32
    private var status: Int32?

    init(_ arguments: [String], environment: [String] = []) throws {
        let folder = try Self.testBinary().split(separator: "/").dropLast().joined(separator: "/")
        let path = "/\(folder)/superctl"
        let (output, errors) = (try Self.makePipe(), try Self.makePipe())
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, output.write, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, errors.write, STDERR_FILENO)
        var argv: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        var process: pid_t = 0
        let code = posix_spawn(&process, path, &actions, nil, &argv, &envp)
        close(output.write)
        close(errors.write)
        guard code == 0 else { throw SystemFailure(call: "posix_spawn \(path)", code: code) }
        self.process = process
        outputEnd = output.read
        errorEnd = errors.read
    }

    deinit {
        if status == nil {
            kill(process, SIGKILL)
            waitpid(process, nil, 0)
        }
        close(outputEnd)
        close(errorEnd)
    }

    /// Becomes readable, at the latest, when the program ends.
    var endOfOutput: Int32 { errorEnd }

    /// Reads the output to its end and returns the exit code; a signal's number as 128 + number.
    func wait() throws -> Int32 {
        output = Self.readAll(outputEnd)
        errors = Self.readAll(errorEnd)
        var status: Int32 = 0
        guard waitpid(process, &status, 0) == process else { throw SystemFailure(call: "waitpid") }
        self.status = status
        return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
    }

    private static func testBinary() throws -> String {
        guard let path = realpath("/proc/self/exe", nil) else { throw SystemFailure(call: "realpath") }
        defer { free(path) }
        return String(cString: path)
    }

    private static func makePipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        // Closed on exec: the tests run several programs at once, and a pipe that another inherits never ends.
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw SystemFailure(call: "socketpair") }
        return (ends[0], ends[1])
    }

    private static func readAll(_ descriptor: Int32) -> String {
        var all: [UInt8] = []
        var bytes = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(descriptor, &bytes, bytes.count)
            guard count > 0 else { return String(decoding: all, as: UTF8.self) }
            all += bytes.prefix(count)
        }
    }
}
