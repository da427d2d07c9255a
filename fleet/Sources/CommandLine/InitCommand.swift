import ArgumentParser
import Foundation

struct InitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Makes the state directory, the keys and the first token, which is printed once."
    )

    @OptionGroup var local: LocalOptions

    func run() async throws {
        let configuration = try local.configuration()
        let directory = StateDirectory(path: configuration.stateDirectory)
        try directory.initialize()
        let registry = try await Registry.open(in: directory.path)
        let secret = try await registry.write { transaction -> String? in
            guard try transaction.tokens(after: 0, limit: 1).isEmpty else { return nil }
            try transaction.note(actor: LocalOptions.actor, action: "init", subject: "admin")
            return try transaction.createToken(
                name: "admin",
                kind: .access(.admin),
                applications: nil,
                expires: RegistryTransaction.now + 365 * 86_400_000
            ).secret
        }
        guard let secret else {
            print("\(directory.path) is initialized already; nothing was changed")
            return
        }
        print(secret)
        FileHandle.standardError.write(
            Data("This is the token of the administrator, for one year. It is not shown again.\n".utf8)
        )
    }
}
