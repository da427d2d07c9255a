import ArgumentParser
import Foundation
import UnitFile

/// For the commands that work on the state directory of this machine.
struct LocalOptions: ParsableArguments {
    @Option(help: "The configuration file; by default fleet.conf in /etc/supervisor-fleet and elsewhere.")
    var config: String?

    func configuration() throws -> FleetConfiguration {
        do { return try FleetConfiguration.load(file: config) } catch {
            throw ValidationError("\(error)")
        }
    }

    /// The registry and the configuration; `init` must have made them.
    func open() async throws -> (Registry, FleetConfiguration) {
        let configuration = try configuration()
        let directory = StateDirectory(path: configuration.stateDirectory)
        guard directory.isInitialized else {
            throw ValidationError("\(directory.path) is not initialized; supervisor-fleet init does that")
        }
        return (try await Registry.open(in: directory.path), configuration)
    }

    /// As the audit shows a command of this machine's administrator.
    static var actor: String { "local:\(getuid())" }
}
