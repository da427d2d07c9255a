import ArgumentParser
import Foundation
import JSON

struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Makes, lists and revokes tokens.",
        subcommands: [Create.self, List.self, Revoke.self]
    )

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Makes a token and prints it; it is not shown again.")

        @OptionGroup var local: LocalOptions
        @Argument(help: "Its name in the journal and the audit.") var name: String
        @Option(help: "What it may do: read, operate, deploy (root on the devices) or admin.") var scope = "read"
        @Option(help: "After how many days it expires.") var days = 90
        @Option(name: .customLong("app"), help: "The name of an application that it is for; all without this option.")
        var applications: [String] = []

        func run() async throws {
            guard Token.isName(name) else {
                throw ValidationError("a name is 1 to 64 characters of A-Z a-z 0-9 space . _ @ -")
            }
            guard let scope = Scope(rawValue: scope) else {
                throw ValidationError("\(scope) is not a scope; allowed: read, operate, deploy, admin")
            }
            guard (1...3650).contains(days) else { throw ValidationError("--days must be 1 to 3650") }
            let (registry, _) = try await local.open()
            let (name, names, days) = (name, applications, Int64(days))
            let secret = try await registry.write { transaction in
                let ids = try names.map { name in
                    guard let found = try transaction.application(named: name) else {
                        throw ValidationError("there is no application \(name)")
                    }
                    return found.id
                }
                try transaction.note(actor: LocalOptions.actor, action: "token", subject: name, detail: scope.rawValue)
                return try transaction.createToken(
                    name: name,
                    kind: .access(scope),
                    applications: ids.isEmpty ? nil : ids,
                    expires: RegistryTransaction.now + days * 86_400_000
                ).secret
            }
            print(secret)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the tokens.")

        @OptionGroup var local: LocalOptions

        func run() async throws {
            let (registry, _) = try await local.open()
            let tokens = try await registry.read { try $0.tokens(after: 0, limit: 100_000) }
            var table = TextTable(["ID", "NAME", "SCOPE", "APPLICATIONS", "EXPIRES", "STATE"])
            for token in tokens {
                table.add([
                    String(token.id), token.name, FleetService.scopeName(token),
                    token.applications?.map(String.init).joined(separator: ",") ?? "all",
                    FleetService.time(token.expires).stringValue ?? "",
                    token.revoked ? "revoked" : token.expires < RegistryTransaction.now ? "expired" : "valid",
                ])
            }
            print(table.text, terminator: "")
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Revokes a token; in effect at once.")

        @OptionGroup var local: LocalOptions
        @Argument(help: "Its number in the list.") var id: Int64

        func run() async throws {
            let (registry, _) = try await local.open()
            let id = id
            try await registry.write { transaction in
                guard let token = try transaction.token(id: id) else {
                    throw ValidationError("there is no token \(id)")
                }
                try transaction.revokeToken(id: id)
                try transaction.note(actor: LocalOptions.actor, action: "revoke token", subject: token.name)
            }
        }
    }
}
