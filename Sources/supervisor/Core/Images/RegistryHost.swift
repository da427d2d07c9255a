import LinuxSupport

/// Which registry an image comes from, by the rules of docker's own clients (github.com/distribution/reference).
public struct RegistryHost: Sendable, Hashable, CustomStringConvertible {
    /// Host, and port where there is one, in lower case: "docker.io", "registry.example.com:5000".
    public let name: String

    private static let dockerHub = "docker.io"

    /// Of an image's reference. What stands before the first slash is a registry if it could not be part of a path: it has
    /// a dot, a colon or a capital letter, or is "localhost". Otherwise it is the Docker Hub.
    public init(image reference: String) {
        let first = Substring(reference.utf8.prefix { $0 != UInt8(ascii: "/") })
        let isHost = first.endIndex != reference.endIndex && Self.isHost(first)
        self.init(host: isHost ? first : Self.dockerHub[...])
    }

    /// Whether the first of several components of a reference is a registry.
    package static func isHost(_ component: Substring) -> Bool {
        component.isExactly("localhost")
            || component.utf8.contains { byte in
                byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":") || byte.lowercasedASCII != byte
            }
    }

    /// Of a key in a file of credentials: a host, or the address of a registry's API, "https://index.docker.io/v1/".
    init(key: String) {
        var rest = key[...]
        for scheme in ["https://", "http://"] where rest.begins(with: scheme) {
            rest = Substring(rest.utf8.dropFirst(scheme.utf8.count))
        }
        self.init(host: Substring(rest.utf8.prefix { $0 != UInt8(ascii: "/") }))
    }

    private init(host: Substring) {
        let host = String(decoding: host.utf8.map(\.lowercasedASCII), as: UTF8.self)
        name = host.isExactly("index.docker.io") ? Self.dockerHub : host
    }

    /// What the registry is called in a request with credentials.
    public var serverAddress: String { name == Self.dockerHub ? "https://index.docker.io/v1/" : name }

    public var description: String { name }

    public static func == (a: RegistryHost, b: RegistryHost) -> Bool { a.name.isExactly(b.name) }

    public func hash(into hasher: inout Hasher) { hasher.combine(Array(name.utf8)) }
}
