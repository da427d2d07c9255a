/// Which registry an image comes from, by the rules of docker's own clients (github.com/distribution/reference).
public struct RegistryHost: Sendable, Hashable, CustomStringConvertible {
    /// Host, and port where there is one, in lower case: "docker.io", "registry.example.com:5000".
    public let name: String

    private static let dockerHub = "docker.io"

    /// Of an image's reference. What stands before the first slash is a registry if it could not be part of a path: it has
    /// a dot, a colon or a capital letter, or is "localhost". Otherwise it is the Docker Hub.
    public init(image reference: String) {
        let first = reference.prefix { $0 != "/" }
        let isHost =
            first.endIndex != reference.endIndex
            && (first == "localhost" || first.contains(".") || first.contains(":")
                || first.utf8.contains { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) })
        self.init(host: isHost ? first : Self.dockerHub[...])
    }

    /// Of a key in a file of credentials: a host, or the address of a registry's API, "https://index.docker.io/v1/".
    init(key: String) {
        var rest = key[...]
        for scheme in ["https://", "http://"] where rest.hasPrefix(scheme) { rest = rest.dropFirst(scheme.count) }
        self.init(host: rest.prefix { $0 != "/" })
    }

    private init(host: Substring) {
        let host = host.lowercased()
        name = host == "index.docker.io" ? Self.dockerHub : host
    }

    /// What the registry is called in a request with credentials.
    public var serverAddress: String { name == Self.dockerHub ? "https://index.docker.io/v1/" : name }

    public var description: String { name }
}
