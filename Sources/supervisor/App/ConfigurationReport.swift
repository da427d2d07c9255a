import JSON
import UnitFile

/// The configuration in effect and where each of its values comes from, for `superctl config`.
struct ConfigurationReport {
    var inForce: Configuration
    /// As read last from the files: values that need a restart are not in effect yet.
    var latest: Configuration
    /// The device's uuid, wherever it comes from; nil while it is not known.
    var uuid: String?

    /// An array of {section, key, value, source, locations: [{file, line}], afterRestart: {value, source} or null}.
    func json() -> JSONValue {
        let waiting = Set(Configuration.changesNeedingRestart(from: inForce, to: latest))
        return .array(
            zip(Self.values(of: inForce), Self.values(of: latest)).map { now, next in
                let name = "[\(now.section)] \(now.key)"
                let locations = inForce.sources[name] ?? []
                let isDerived = now.key == "UUID" && locations.isEmpty
                return [
                    "section": .string(now.section),
                    "key": .string(now.key),
                    "value": .string(isDerived ? uuid ?? "" : now.value),
                    "source": .string(isDerived ? "kept in \(inForce.stateDirectory)" : Self.text(locations)),
                    "locations": .array(
                        locations.map { ["file": .string($0.file), "line": .integer(Int64($0.line))] }
                    ),
                    "afterRestart": waiting.contains(name)
                        ? ["value": .string(next.value), "source": .string(Self.text(latest.sources[name] ?? []))]
                        : .null,
                ]
            }
        )
    }

    private static func text(_ locations: [UnitFile.Location]) -> String {
        locations.isEmpty ? "default" : locations.map(\.description).joined(separator: ", ")
    }

    /// As they would be written in the file, in the order of the documentation.
    private static func values(of configuration: Configuration) -> [(section: String, key: String, value: String)] {
        [
            ("Supervisor", "StateDirectory", configuration.stateDirectory),
            ("Supervisor", "RuntimeDirectory", configuration.runtimeDirectory),
            ("Device", "DeviceType", configuration.deviceType),
            ("Device", "UUID", configuration.uuid ?? ""),
            ("API", "Port", "\(configuration.port)"),
            ("API", "Interfaces", configuration.interfaces.joined(separator: " ")),
            ("API", "MaxConnections", "\(configuration.maxConnections)"),
            ("API", "PingRequiresKey", configuration.pingRequiresKey ? "yes" : "no"),
            ("API", "UplinkUser", configuration.uplinkUser),
            ("API", "ReportedVersion", configuration.reportedVersion),
            ("Engine", "Socket", configuration.engineSocket),
            ("Applications", "Target", configuration.target),
            ("Applications", "CloudTarget", configuration.cloudTarget),
            ("Applications", "DataDirectory", configuration.dataDirectory),
            ("Applications", "LockDirectory", configuration.lockDirectory),
            ("Applications", "PollIntervalSec", text(configuration.pollInterval)),
            ("Plugins", "SearchPath", configuration.pluginSearchPath.joined(separator: ":")),
        ]
    }

    /// Whole seconds as they are, others as systemd.time(7) has them.
    private static func text(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        return attoseconds == 0
            ? "\(seconds)" : "\(seconds * 1_000_000 + attoseconds / 1_000_000_000_000)us"
    }
}
