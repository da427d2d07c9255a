import ArgumentParser
import SupervisorVersion

@main
struct FleetProgram: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "supervisor-fleet",
        abstract: "Serves a fleet of devices: commands from afar, target states, reports.",
        version: Version.text,
        subcommands: [
            InitCommand.self, ServeCommand.self, TokenCommand.self, ApplicationCommand.self, DeviceCommand.self,
            DeployCommand.self, CallCommand.self, BackupCommand.self, RestoreCommand.self,
        ]
    )
}
