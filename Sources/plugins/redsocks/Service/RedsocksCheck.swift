import Glibc
import LinuxSupport
import SupervisorPluginAPI

/// `redsocks -t`: asks redsocks itself about a file.
///
/// It resolves the proxy's name, which takes 10 s where no resolver answers, and its complaints may hold what stands in the
/// file. It says yes to much that is wrong, so it comes after our own checks.
struct RedsocksCheck: Sendable {
    var program: String
    var timeout = Duration.seconds(15)

    /// Enough for every complaint of redsocks; the rest is read and dropped.
    private static let outputLimit = 64 << 10
    /// Characters of a complaint that an error shows.
    private static let shownLimit = 500

    /// Returns when redsocks accepts the file. Blocks the thread. `secrets` are in no error.
    func run(_ path: String, secrets: [String], isCancelled: () -> Bool = { false }) throws(PluginError) {
        let (status, output) = try spawn(["-t", "-c", path], isCancelled)
        guard status != 0 else { return }
        let signal = status & 0x7F
        let ending = signal == 0 ? "exit status \(status >> 8 & 0xFF)" : "signal \(signal)"
        throw PluginError(
            .failed,
            "redsocks rejected the settings (\(ending) of its check)",
            detail: Self.shown(output, secrets),
            source: program
        )
    }

    /// Whether redsocks knows what stands in the file: false if it ended with a status of its own other than 0. Blocks the
    /// thread.
    func knows(_ path: String, isCancelled: () -> Bool = { false }) throws(PluginError) -> Bool {
        let (status, _) = try spawn(["-t", "-c", path], isCancelled)
        guard status & 0x7F == 0 else {
            throw PluginError(.failed, "\(program) was ended by signal \(status & 0x7F)", source: program)
        }
        return status == 0
    }

    /// A complaint without secrets and in one line, or nothing where one is too short to be replaced.
    private static func shown(_ output: [UInt8], _ secrets: [String]) -> String? {
        var text = output
        if output.count >= outputLimit { text.removeLast(256) }
        for secret in secrets where !secret.isEmpty {
            let bytes = Array(secret.utf8)
            guard bytes.count >= 3 else {
                if text.firstRange(of: bytes) != nil { return nil }
                continue
            }
            while let range = text.firstRange(of: bytes) { text.replaceSubrange(range, with: Array("*".utf8)) }
        }
        let line = text.map { $0 < 0x20 || $0 == 0x7F ? 0x20 : $0 }
        let words = String(decoding: line, as: UTF8.self).split(separator: " ").joined(separator: " ")
        return words.isEmpty ? nil : String(words.prefix(shownLimit))
    }

    /// Runs the program to its end with an almost empty environment. Ends it at the time-out and when the call is
    /// cancelled.
    private func spawn(
        _ arguments: [String],
        _ isCancelled: () -> Bool
    ) throws(PluginError) -> (status: Int32, output: [UInt8]) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw failure("make a pipe for", errno) }
        defer { close(ends[0]) }
        // Nothing else in this process starts a child that could inherit them in between.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        let process: pid_t
        do throws(PluginError) {
            process = try start(arguments, output: ends[1])
        } catch {
            close(ends[1])
            throw error
        }
        close(ends[1])
        let clock = ContinuousClock()
        let deadline = clock.now + timeout
        var output: [UInt8] = []
        var status: Int32 = 0
        while true {
            var descriptor = pollfd(fd: ends[0], events: Int16(POLLIN), revents: 0)
            _ = poll(&descriptor, 1, 50)
            let isOpen = Self.drain(ends[0], &output)
            let reaped = waitpid(process, &status, isOpen ? WNOHANG : 0)
            if reaped == process {
                _ = Self.drain(ends[0], &output)
                return (status, output)
            }
            guard clock.now < deadline, !isCancelled() else {
                kill(process, SIGKILL)
                while waitpid(process, &status, 0) < 0, errno == EINTR {}
                if isCancelled() { throw PluginError(code: .cancelled, "cancelled") }
                let seconds = timeout.components.seconds
                throw PluginError(.timeout, "the check by \(program) did not end within \(seconds) s", source: program)
            }
        }
    }

    private func start(_ arguments: [String], output: Int32) throws(PluginError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO)
        // This process blocks SIGTERM and ignores SIGPIPE, which a child would inherit.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigaddset(&signals, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] = [strdup("LC_ALL=C"), nil]
        defer { (words + environment).forEach { free($0) } }
        var process = pid_t()
        let code = posix_spawn(&process, program, &actions, &attributes, &words, &environment)
        guard code == 0 else { throw failure("start", code) }
        return process
    }

    private func failure(_ action: String, _ code: Int32) -> PluginError {
        PluginError(
            code == ENOENT ? .unavailable : .failed,
            "cannot \(action) \(program): \(String(cString: strerror(code)))"
        )
    }

    /// Takes what is there; false at the end.
    private static func drain(_ descriptor: Int32, _ output: inout [UInt8]) -> Bool {
        let end = try? Descriptor.read(descriptor, "the output of redsocks") { piece in
            output += piece.prefix(outputLimit - output.count)
        }
        return end == .wouldBlock
    }
}

extension Array where Element == UInt8 {
    fileprivate func firstRange(of needle: [UInt8]) -> Range<Int>? {
        guard !needle.isEmpty, count >= needle.count else { return nil }
        for start in 0...(count - needle.count) where self[start...].starts(with: needle) {
            return start..<(start + needle.count)
        }
        return nil
    }
}
