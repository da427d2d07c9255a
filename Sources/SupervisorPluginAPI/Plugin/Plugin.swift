/// A plugin: a program that does operations for the core, over its standard input and output.
///
/// Conform one type, mark it `@main`, list the operations, and that is the program:
///
/// ```swift
/// @main
/// struct LED: Plugin {
///     static let name = "led"
///     static let version = "1.0.0"
///     static let summary = "Blinks the board's LED."
///
///     let blinker: Blinker
///
///     init(_ context: PluginContext) throws(PluginError) {
///         blinker = try Blinker(path: context.settings["Path"])
///     }
///
///     var handlers: [PluginHandler] {
///         PluginHandler(LEDBlink.self) { request throws(PluginError) in
///             try await blinker.blink(for: .milliseconds(request.durationMs))
///         }
///     }
/// }
/// ```
///
/// `init` runs when the core has sent plugin.initialize; what it throws is the answer to that. Each call runs in a task of
/// its own, cancelled when the core gives the call up and when the input ends. A handler that blocks does so on a
/// ``BlockingThread`` of its own: all calls begin on one thread, and plugin.ping is answered there.
public protocol Plugin: Sendable {
    /// As in the manifest: the file's name without `.plugin`.
    static var name: String { get }
    static var version: String { get }
    /// One sentence for a person who has started it on a terminal.
    static var summary: String { get }

    init(_ context: PluginContext) async throws(PluginError)

    @PluginHandlers var handlers: [PluginHandler] { get }

    /// Whether the plugin could do its work now.
    func readiness() async -> PluginPing.Reply

    /// The last thing before the exit, when no call is under way any more: at the end of the input, at plugin.shutdown and
    /// at SIGTERM.
    func shutdown() async

    /// Arguments of the command line that are no part of the protocol, such as an action for a unit's ExecStopPost=.
    /// Returns the exit status, or nil for arguments that it does not know.
    static func run(arguments: [String]) -> Int32?
}

extension Plugin {
    public func readiness() async -> PluginPing.Reply { PluginPing.Reply(isReady: true) }
    public func shutdown() async {}
    public static func run(arguments: [String]) -> Int32? { nil }

    /// Runs the plugin until its input ends.
    public static func main() {
        PluginMain.run(Self.self)
    }
}
