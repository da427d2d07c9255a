/// A network with everything that it is made from.
public struct ResolvedNetwork: Sendable, Hashable {
    public var app: AppID
    /// The engine's.
    public var name: String
    public var digest: String

    public init(app: AppID, name: String, digest: String) {
        self.app = app
        self.name = name
        self.digest = digest
    }
}
