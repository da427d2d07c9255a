/// What an engine says of itself.
public struct EngineInformation: Sendable, Hashable {
    /// "docker", "podman" or "balena-engine", as far as it is known.
    public var name: String
    /// The engine's version, such as "20.10.24".
    public var version: String
    /// The version of the API in use, such as "1.41".
    public var apiVersion: String

    public init(name: String, version: String, apiVersion: String) {
        self.name = name
        self.version = version
        self.apiVersion = apiVersion
    }
}
