import ArgumentParser
import Foundation
import JSON

struct DeviceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "device",
        abstract: "Lists devices, revokes them, and allows a new key.",
        subcommands: [List.self, Revoke.self, ResetKey.self]
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the devices.")

        @OptionGroup var local: LocalOptions
        @Option(name: .customLong("app"), help: "The name of an application; all without this option.")
        var application: String?

        func run() async throws {
            let (registry, _) = try await local.open()
            let name = application
            let devices = try await registry.read { transaction in
                var id: Int64?
                if let name {
                    guard let application = try transaction.application(named: name) else {
                        throw ValidationError("there is no application \(name)")
                    }
                    id = application.id
                }
                return try transaction.devices(application: id, limit: 1_000_000)
            }
            var table = TextTable(["ID", "UUID", "NAME", "APP", "STATUS", "RELEASE", "LAST REPORT"])
            for device in devices {
                table.add([
                    String(device.id), device.uuid, device.name, String(device.application),
                    device.revoked ? "revoked" : device.status,
                    device.runningCommit.map { String($0.prefix(8)) } ?? "-",
                    FleetService.time(device.lastReport).stringValue ?? "never",
                ])
            }
            print(table.text, terminator: "")
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes a device's access away; its connection ends within seconds."
        )

        @OptionGroup var local: LocalOptions
        @Argument var uuid: String

        func run() async throws {
            let (registry, _) = try await local.open()
            let uuid = uuid
            try await registry.write { transaction in
                guard let device = try transaction.device(uuid: uuid) else {
                    throw ValidationError("there is no device \(uuid)")
                }
                try transaction.setRevoked(device: device.id, true)
                try transaction.revokeBusKeys(uuid: uuid, at: RegistryTransaction.now / 1000 + 1)
                try transaction.note(actor: LocalOptions.actor, action: "revoke device", subject: uuid)
            }
        }
    }

    struct ResetKey: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "reset-key",
            abstract: "Allows a provisioning token to give a device a new key, for one hour."
        )

        @OptionGroup var local: LocalOptions
        @Argument var uuid: String

        func run() async throws {
            let (registry, _) = try await local.open()
            let uuid = uuid
            try await registry.write { transaction in
                guard let device = try transaction.device(uuid: uuid) else {
                    throw ValidationError("there is no device \(uuid)")
                }
                try transaction.allowKeyReset(device: device.id, until: RegistryTransaction.now + 3_600_000)
                try transaction.note(actor: LocalOptions.actor, action: "reset-key", subject: uuid)
            }
        }
    }
}
