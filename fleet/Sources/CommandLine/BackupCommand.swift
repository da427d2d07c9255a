import ArgumentParser
import Foundation

struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copies the registry and the keys to a new directory, readable by you only. The service may run."
    )

    @OptionGroup var local: LocalOptions
    @Argument(help: "A directory that does not exist yet.") var directory: String

    func run() async throws {
        let (registry, configuration) = try await local.open()
        umask(0o077)
        let files = FileManager.default
        try files.createDirectory(
            atPath: directory,
            withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o700]
        )
        try registry.driver.copy(to: directory + "/registry.sqlite")
        try files.copyItem(atPath: configuration.stateDirectory + "/keys", toPath: directory + "/keys")
    }
}
