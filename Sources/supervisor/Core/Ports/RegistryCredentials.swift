/// What a registry asks for before it gives an image.
public struct RegistryCredentials: Sendable, Hashable, CustomStringConvertible {
    /// Host with the port, such as "registry.example.com:5000".
    public var registry: String
    public var username: String
    public var password: String

    public init(registry: String, username: String, password: String) {
        self.registry = registry
        self.username = username
        self.password = password
    }

    /// Never contains the password.
    public var description: String { "credentials of \(username) for \(registry)" }
}
