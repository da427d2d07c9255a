import LinuxSupport
import SupervisorPluginAPI
import SupervisorVersion

@main
struct StoragePlugin: Plugin {
    static let name = "storage"
    static let version = Version.text
    static let summary =
        "Removes what the supervisor has set aside for deletion, and separates the apps' lock directories."

    private let reaping: SharedReaping
    private let lockSpaces: LockSpaces
    private let service: LockSpaceService?
    private let thread = BlockingThread(name: "lock-space")

    init(_ context: PluginContext) async throws(PluginError) {
        let leftovers = Leftovers(
            dataDirectory: try Self.directory(context, "DataDirectory", or: "/var/lib/device-supervisor/data"),
            lockDirectory: try Self.directory(context, "LockDirectory", or: "/run/device-supervisor-locks")
        )
        lockSpaces = LockSpaces(lockDirectory: leftovers.lockDirectory)
        // The service of the unit mounts below its own directory, whatever this plugin is set to.
        let isStandard = leftovers.lockDirectory == LockSpaceService.lockDirectory
        service =
            isStandard || context.settings["LockSpaceSocket"] != nil
            ? LockSpaceService(path: try Self.directory(context, "LockSpaceSocket", or: LockSpaceService.standardPath))
            : nil
        reaping = SharedReaping { isCancelled in leftovers.reap(isCancelled: isCancelled) }
    }

    var handlers: [PluginHandler] {
        PluginHandler(StorageReap.self) { _ throws(PluginError) in
            StorageReap.Reply(removed: try await reaping.reap())
        }
        PluginHandler(StorageLockSpace.self) { request throws(PluginError) in
            let (lockSpaces, service) = (lockSpaces, service)
            let outcome = await Task(executorPreference: thread) { () -> Result<Void, PluginError> in
                Result { () throws(PluginError) in try lockSpaces.provide(request.appID, orBy: service) }
            }.value
            try outcome.get()
            return EmptyPayload()
        }
    }

    static func run(arguments: [String]) -> Int32? {
        guard arguments.count == 2, arguments[0] == "--lock-space", arguments[1].hasPrefix("/") else { return nil }
        return LockSpaces(lockDirectory: arguments[1]).serve()
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
