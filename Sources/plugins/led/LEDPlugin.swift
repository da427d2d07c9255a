import Glibc
import SupervisorPluginAPI
import SupervisorVersion

@main
struct LEDPlugin: Plugin {
    static let name = "led"
    static let version = Version.text
    static let summary = "Blinks the board's LED; --restore [FILE] restores a LED that a killed process left blinking."

    private let blinker: Blinker<ContinuousClock>

    init(_ context: PluginContext) async throws(PluginError) {
        let file = try Self.absolute(context, "StateFile") ?? FormerFile.standardPath
        blinker = Blinker(place: try Self.place(context), formerFile: file, clock: ContinuousClock())
        await blinker.restoreLeftover()
    }

    var handlers: [PluginHandler] {
        PluginHandler(LEDBlink.self) { request throws(PluginError) in
            LEDBlink.Reply(isSupported: try await blinker.blink(for: .milliseconds(request.durationMs)))
        }
    }

    func readiness() async -> PluginPing.Reply { await blinker.readiness() }

    func shutdown() async { await blinker.stop() }

    static func run(arguments: [String]) -> Int32? {
        guard arguments.first == "--restore", arguments.count <= 2 else { return nil }
        return FormerFile(path: arguments.dropFirst().first ?? FormerFile.standardPath).restore() ? 0 : 1
    }

    private static func place(_ context: PluginContext) throws(PluginError) -> LEDPlace {
        switch context.settings["Path"] {
        case nil: return .usual(in: "/sys/class/leds")
        case "", "none": return .nowhere
        default: return .fixed(try absolute(context, "Path") ?? "")
        }
    }

    private static func absolute(_ context: PluginContext, _ name: String) throws(PluginError) -> String? {
        guard let path = context.settings[name] else { return nil }
        guard path.hasPrefix("/"), !path.utf8.contains(0) else {
            throw PluginError(.invalidArgument, "\(name) is not an absolute path")
        }
        return path
    }
}
