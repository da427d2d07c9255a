import Glibc
import NIOPosix
import SupervisorEventLoop
import SupervisorPluginAPI
import SupervisorVersion

/// The program from its arguments to its exit status.
///
/// The main thread is the event loop. Nothing here may start Dispatch, whose threads wake an idle process once a second: no
/// task without a preference for the loop's executor, no sleep but the loop's, no resolver of NIO.
@main
enum UplinkProgram {
    private enum Status {
        static let failed: Int32 = 1
        /// EX_USAGE of sysexits.h.
        static let usage: Int32 = 64
        /// EX_CONFIG; the unit does not restart after it.
        static let configuration: Int32 = 78
    }

    static func main() {
        exit(run(Array(CommandLine.arguments.dropFirst())))
    }

    private static func run(_ arguments: [String]) -> Int32 {
        var configurationFile: String?
        var socket: String?
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            switch argument {
            case "--version":
                print("supervisor-plugin-uplink \(Version.text)")
                return 0
            case "--help":
                print(help, terminator: "")
                return 0
            case "--config":
                configurationFile = rest.popFirst()
                guard configurationFile != nil else { return wrong("--config needs a file") }
            case "--socket":
                socket = rest.popFirst()
                guard socket != nil else { return wrong("--socket needs a path") }
            default:
                return wrong("unknown argument \(argument.debugDescription)")
            }
        }
        signal(SIGPIPE, SIG_IGN)
        umask(0o077)
        do {
            let settings = try UplinkSettings.load(file: configurationFile)
            for warning in settings.warnings { PluginLog.warning(warning) }
            let listening = try PluginListener.descriptor(socket: socket)
            MultiThreadedEventLoopGroup.withCurrentThreadAsEventLoop { loop in
                Uplink(settings: settings, executor: LoopExecutor(loop)).begin(listening)
            }
            return Status.failed
        } catch let error as SettingsError {
            PluginLog.error(error.description)
            return Status.configuration
        } catch {
            PluginLog.error("\(error)")
            return Status.failed
        }
    }

    private static func wrong(_ text: String) -> Int32 {
        let line = Array("supervisor-plugin-uplink: \(text)\n".utf8)
        _ = write(STDERR_FILENO, line, line.count)
        return Status.usage
    }

    private static let help = """
        supervisor-plugin-uplink \(Version.text): connects the device to a remote service.
        systemd starts it as supervisor-uplink.service; `superctl uplink status` shows its state.

          --config FILE  Read FILE instead of uplink.conf in /etc/device-supervisor, /run/device-supervisor,
                         /usr/local/lib/device-supervisor and /usr/lib/device-supervisor.
          --socket PATH  Serve the supervisor at PATH instead of the socket that systemd passes.

        """
}
