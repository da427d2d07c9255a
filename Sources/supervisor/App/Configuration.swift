import UnitFile

/// The settings of the configuration file. docs/configuration.md has the table for users.
///
/// All paths are absolute and have no slash at their end.
struct Configuration: Sendable, Hashable {
    // MARK: [Supervisor]

    /// Identity, target and flags are kept here, the API key among them.
    var stateDirectory: String
    /// Holds `control.sock` and `api.sock`.
    var runtimeDirectory: String

    // MARK: [Device]

    var deviceType: String
    /// 32 hex digits in small letters; nil leaves it to the state directory, or to a new one.
    var uuid: String?

    // MARK: [API]

    var port: Int
    /// Names of interfaces, `apps` for the bridges of networks that we created, `*` for all. Each once.
    var interfaces: [String]
    var maxConnections: Int
    /// Whether GET /ping asks for the API key.
    var pingRequiresKey: Bool
    /// The user whose programs, besides root's, may use `api.sock`.
    var uplinkUser: String
    /// What clients are given as the version of the supervisor.
    var reportedVersion: String

    // MARK: [Engine]

    var engineSocket: String
    /// Whether the file names the socket; otherwise it was found.
    var engineSocketIsGiven: Bool

    // MARK: [Applications]

    /// The file with the local target state.
    var target: String
    /// The file in which the uplink hands over the target of a remote service.
    var cloudTarget: String
    /// `<appId>/` in it is the /data of an application.
    var dataDirectory: String
    /// `<appId>/<service>/` in it is where an application puts its update lock.
    var lockDirectory: String
    var pollInterval: Duration

    // MARK: [Plugins]

    /// Directories with plugin manifests, the one that counts most first.
    var pluginSearchPath: [String]

    // MARK: Of all

    /// Where the value of a key ("[Section] Key") was read; none for a default.
    var sources: [String: [UnitFile.Location]] = [:]
}

extension Configuration {
    /// Adopts the values that a reload can change, and returns the keys, as "[Section] Key", that need a restart.
    mutating func apply(_ new: Configuration) -> [String] {
        let waiting = Self.changesNeedingRestart(from: self, to: new)
        deviceType = new.deviceType
        pluginSearchPath = new.pluginSearchPath
        interfaces = new.interfaces
        maxConnections = new.maxConnections
        pingRequiresKey = new.pingRequiresKey
        reportedVersion = new.reportedVersion
        target = new.target
        cloudTarget = new.cloudTarget
        pollInterval = new.pollInterval
        let kept = sources.filter { waiting.contains($0.key) }
        sources = new.sources.filter { !waiting.contains($0.key) }.merging(kept) { $1 }
        return waiting
    }

    /// The keys that differ between two configurations and need a restart, as "[Section] Key", in the order of the
    /// documentation. What is not among them a reload can apply.
    static func changesNeedingRestart(from old: Configuration, to new: Configuration) -> [String] {
        let isSocketFoundAnew = !old.engineSocketIsGiven && !new.engineSocketIsGiven
        let checks: [(name: String, isChanged: Bool)] = [
            ("[Supervisor] StateDirectory", old.stateDirectory != new.stateDirectory),
            ("[Supervisor] RuntimeDirectory", old.runtimeDirectory != new.runtimeDirectory),
            ("[Device] UUID", old.uuid != new.uuid),
            ("[API] Port", old.port != new.port),
            ("[API] UplinkUser", old.uplinkUser != new.uplinkUser),
            // That another engine is there by now is no change of the configuration.
            ("[Engine] Socket", old.engineSocket != new.engineSocket && !isSocketFoundAnew),
            ("[Applications] DataDirectory", old.dataDirectory != new.dataDirectory),
            ("[Applications] LockDirectory", old.lockDirectory != new.lockDirectory),
        ]
        return checks.filter(\.isChanged).map(\.name)
    }
}
