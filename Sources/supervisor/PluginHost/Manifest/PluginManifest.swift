/// What a `<name>.plugin` file says, drop-ins included. docs/plugin-protocol.md has the table for users.
struct PluginManifest: Sendable, Hashable {
    enum Launch: Sendable, Hashable {
        /// An absolute path, and what follows it on the command line.
        case executable(path: String, arguments: [String])
        /// An absolute path of at most 107 bytes.
        case socket(path: String)
    }

    enum Lifecycle: String, Sendable, Hashable, CaseIterable {
        /// Started by the first call, ended when idle.
        case onDemand = "on-demand"
        /// Started at once and kept.
        case persistent
    }

    // MARK: [Plugin]

    /// The file's name without `.plugin`.
    var name: String
    var description: String
    /// The path of the main file.
    var file: String
    /// Names of operations, each once, in the order of the file.
    var provides: [String]
    /// Whether the device counts as unhealthy without it.
    var isEssential: Bool
    /// Of two providers the one with the higher number is used.
    var priority: Int

    // MARK: [Launch]

    var launch: Launch
    var lifecycle: Lifecycle
    var idleTimeout: Duration
    var startTimeout: Duration
    var callTimeout: Duration
    var stopTimeout: Duration

    // MARK: [Match]

    var deviceType: DeviceTypeMatch

    // MARK: [Settings]

    var settings: [String: String]

    /// What is started or connected to.
    var target: String {
        switch launch {
        case .executable(let path, _), .socket(let path): path
        }
    }

    var usesSocket: Bool {
        if case .socket = launch { true } else { false }
    }
}
