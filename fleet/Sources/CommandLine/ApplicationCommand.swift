import ArgumentParser
import Foundation

struct ApplicationCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "app",
        abstract: "Makes and lists applications, and makes their provisioning tokens.",
        subcommands: [Create.self, List.self, Provision.self]
    )

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Makes an application and prints its number.")

        @OptionGroup var local: LocalOptions
        @Argument(help: "Letters, digits, '_' and '-'.") var name: String
        @Option(help: "The type of its devices.") var deviceType = "generic"

        func run() async throws {
            guard FleetService.isApplicationName(name) else {
                throw ValidationError("a name is 1 to 64 letters, digits, '_' and '-', and not a number")
            }
            let (registry, _) = try await local.open()
            let (name, deviceType) = (name, deviceType)
            do {
                let made = try await registry.write { transaction in
                    try transaction.note(actor: LocalOptions.actor, action: "application", subject: name)
                    return try transaction.createApplication(name: name, deviceType: deviceType)
                }
                print(made.id)
            } catch let error as SQLError where error.isConflict {
                throw ValidationError("there is an application \(name) already")
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the applications.")

        @OptionGroup var local: LocalOptions

        func run() async throws {
            let (registry, _) = try await local.open()
            var table = TextTable(["ID", "NAME", "DEVICE TYPE", "RELEASE"])
            for application in try await registry.read({ try $0.applications(limit: 100_000) }) {
                table.add([
                    String(application.id), application.name, application.deviceType, application.activeCommit ?? "-",
                ])
            }
            print(table.text, terminator: "")
        }
    }

    struct Provision: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a token that registers devices of an application, and prints it; it is not shown again."
        )

        @OptionGroup var local: LocalOptions
        @Argument(help: "The name of the application.") var name: String
        @Option(help: "After how many days it expires.") var days = 30
        @Option(help: "How many devices it registers.") var devices = 1000

        func run() async throws {
            guard (1...3650).contains(days), (1...1_000_000).contains(devices) else {
                throw ValidationError("--days must be 1 to 3650, --devices 1 to 1000000")
            }
            let (registry, _) = try await local.open()
            let (name, days, devices) = (name, Int64(days), Int64(devices))
            let secret = try await registry.write { transaction in
                guard let application = try transaction.application(named: name) else {
                    throw ValidationError("there is no application \(name)")
                }
                try transaction.note(actor: LocalOptions.actor, action: "provisioning-token", subject: name)
                return try transaction.createToken(
                    name: String("provisioning \(name)".prefix(64)),
                    kind: .provisioning,
                    applications: [application.id],
                    expires: RegistryTransaction.now + days * 86_400_000,
                    remaining: devices
                ).secret
            }
            print(secret)
        }
    }
}
