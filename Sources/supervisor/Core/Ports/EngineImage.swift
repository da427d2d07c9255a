/// An image that the engine has.
public struct EngineImage: Sendable, Hashable {
    /// "sha256:…".
    public var id: String
    /// Names with tag.
    public var tags: [String]
    /// Names with digest.
    public var digests: [String]

    public init(id: String, tags: [String], digests: [String]) {
        self.id = id
        self.tags = tags
        self.digests = digests
    }
}
