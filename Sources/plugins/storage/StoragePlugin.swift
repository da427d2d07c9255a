import SupervisorPluginAPI
import SupervisorVersion

@main
struct StoragePlugin: Plugin {
    static let name = "storage"
    static let version = Version.text
    static let summary = "Removes what the supervisor has set aside for deletion, whatever its owner."

    private let reaping: SharedReaping

    init(_ context: PluginContext) async throws(PluginError) {
        let leftovers = Leftovers(
            dataDirectory: try Self.directory(context, "DataDirectory", or: "/var/lib/device-supervisor/data"),
            lockDirectory: try Self.directory(context, "LockDirectory", or: "/run/device-supervisor-locks")
        )
        reaping = SharedReaping { isCancelled in leftovers.reap(isCancelled: isCancelled) }
    }

    var handlers: [PluginHandler] {
        PluginHandler(StorageReap.self) { _ throws(PluginError) in
            StorageReap.Reply(removed: try await reaping.reap())
        }
    }

    private static func directory(
        _ context: PluginContext,
        _ name: String,
        or standard: String
    ) throws(PluginError) -> String {
        let path = context.settings[name] ?? standard
        // "/" itself is no directory of ours, whatever is named like one of our leftovers there.
        guard path.hasPrefix("/"), path.utf8.contains(where: { $0 != UInt8(ascii: "/") }), !path.utf8.contains(0) else {
            throw PluginError(.invalidArgument, "\(name) is not an absolute path")
        }
        return path
    }
}
