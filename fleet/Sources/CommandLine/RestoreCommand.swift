import ArgumentParser
import Foundation

struct RestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Puts a backup into an empty state directory. Every login to the bus from before is revoked."
    )

    @OptionGroup var local: LocalOptions
    @Argument(help: "The directory that backup has made.") var directory: String

    func run() async throws {
        let configuration = try local.configuration()
        let state = StateDirectory(path: configuration.stateDirectory)
        let files = FileManager.default
        guard !state.isInitialized, !files.fileExists(atPath: state.path + "/registry.sqlite") else {
            throw ValidationError("\(state.path) is not empty; a backup is restored to an empty one")
        }
        umask(0o077)
        for name in [state.path, state.path + "/bus"] {
            try files.createDirectory(
                atPath: name,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
        }
        try files.copyItem(atPath: directory + "/registry.sqlite", toPath: state.path + "/registry.sqlite")
        try files.copyItem(atPath: directory + "/keys", toPath: state.path + "/keys")
        let registry = try await Registry.open(in: state.path)
        try await registry.write { transaction in
            try transaction.revokeAllBusKeys(at: RegistryTransaction.now / 1000 + 1)
            try transaction.note(actor: LocalOptions.actor, action: "restore", subject: "registry")
        }
        print("Tokens and devices that were revoked after the backup are valid again; revoke them once more.")
    }
}
