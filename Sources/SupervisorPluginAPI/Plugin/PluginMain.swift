import CLinux
import Glibc

/// Runs a plugin: descriptors, arguments, signals, and the loop that reads the input.
///
/// The main thread reads and nothing else, so that a caller that hangs up ends a long call, and a plugin whose own code is
/// stuck still exits.
enum PluginMain {
    /// Where calls run. Not the global pool: its timer wakes the process once a second for good.
    static let calls = BlockingThread(name: "calls")

    private enum Status {
        static let ok: Int32 = 0
        static let failed: Int32 = 1
        /// Started by hand.
        static let terminal: Int32 = 2
        /// EX_USAGE of sysexits.h.
        static let usage: Int32 = 64
    }

    static func run<P: Plugin>(_ plugin: P.Type) -> Never {
        let arguments = Array(CommandLine.arguments.dropFirst())
        if !arguments.isEmpty { exit(answer(arguments, plugin)) }
        if isatty(STDIN_FILENO) != 0 {
            say(STDERR_FILENO, introduction(plugin))
            exit(Status.terminal)
        }
        // Before there is any other thread, which would take the signal otherwise.
        let signals = clinux_signal_descriptor([SIGTERM, SIGINT], 2)
        signal(SIGPIPE, SIG_IGN)
        guard signals >= 0, let (input, output) = takeDescriptors() else {
            PluginLog.error("cannot set up the descriptors: \(String(cString: strerror(errno)))")
            exit(Status.failed)
        }
        let session = PluginSession<P>(FrameWriter(output))
        read(input, signals, session)
        finish(session)
    }

    /// Answers an argument of the command line.
    private static func answer<P: Plugin>(_ arguments: [String], _ plugin: P.Type) -> Int32 {
        switch arguments {
        case ["--version"]:
            say(STDOUT_FILENO, "supervisor-plugin-\(P.name) \(P.version)\n")
            return Status.ok
        case ["--help"]:
            say(STDOUT_FILENO, introduction(plugin))
            return Status.ok
        default:
            if let status = P.run(arguments: arguments) { return status }
            say(STDERR_FILENO, "supervisor-plugin-\(P.name): unknown argument \(arguments[0])\n")
            return Status.usage
        }
    }

    private static func introduction<P: Plugin>(_ plugin: P.Type) -> String {
        """
        supervisor-plugin-\(P.name) \(P.version): \(P.summary)
        The supervisor starts it and communicates with it over standard input and output.
        `superctl plugins` shows its state; `supervisor-plugin-check PROGRAM` tests a plugin by hand.

        """
    }

    private static func say(_ descriptor: Int32, _ text: String) {
        let bytes = Array(text.utf8)
        _ = write(descriptor, bytes, bytes.count)
    }

    /// Takes standard input and output away from everything else in the process: output goes to standard error, reads
    /// return the end of the input.
    private static func takeDescriptors() -> (input: Int32, output: Int32)? {
        let input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
        let output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        guard input >= 0, output >= 0, null >= 0, dup2(null, STDIN_FILENO) >= 0 else { return nil }
        // In a process that was started without standard error, the frames must not get that descriptor.
        if fcntl(STDERR_FILENO, F_GETFD) < 0 { dup2(null, STDERR_FILENO) }
        guard dup2(STDERR_FILENO, STDOUT_FILENO) >= 0 else { return nil }
        close(null)
        for descriptor in [input, output] {
            let flags = fcntl(descriptor, F_GETFL)
            guard flags >= 0, fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) >= 0 else { return nil }
        }
        return (input, output)
    }

    /// Hands every line to the session until the input ends, a signal comes, or the session is through.
    private static func read<P: Plugin>(_ input: Int32, _ signals: Int32, _ session: PluginSession<P>) {
        var splitter = FrameSplitter()
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            var descriptors = [
                pollfd(fd: input, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
            ]
            if poll(&descriptors, 2, -1) < 0 {
                guard errno == EINTR else { return PluginLog.error("poll: \(String(cString: strerror(errno)))") }
                continue
            }
            guard descriptors[1].revents == 0 else { return }
            let count = Glibc.read(input, &buffer, buffer.count)
            if count == 0 { return }
            if count < 0 {
                guard errno == EAGAIN || errno == EINTR else { return }
                continue
            }
            splitter.append(buffer[..<count]) { session.receive($0) }
        }
    }

    /// Ends the process after plugin.shutdown.
    static func leave() -> Never {
        exit(Status.ok)
    }

    /// Gives calls under way and the plugin's own shutdown the time that the protocol has for them, then ends the process
    /// whatever they do.
    private static func finish<P: Plugin>(_ session: PluginSession<P>) -> Never {
        Task.detached(executorPreference: PluginMain.calls) {
            await session.end()
            exit(Status.ok)
        }
        var rest = PluginProtocol.exitTime
        while rest > 0 { rest = sleep(rest) }
        PluginLog.error("did not finish within \(PluginProtocol.exitTime) s")
        _exit(Status.failed)
    }
}
