/// An update lock that is held: something exists at one of the lock paths, or nobody can say that nothing does.
public struct HeldLock: Sendable, Hashable {
    public var app: AppID
    /// nil for the lock in the application's /data.
    public var service: String?
    public var path: String
    /// Owner of what is there; nil where we may not look.
    public var owner: UInt32?
    /// Seconds since 1970 of its last change; nil where we may not look.
    public var since: Int64?
    /// Why it counts as held although nothing was seen at the path.
    public var reason: String?

    /// One line for people.
    public var description: String {
        if let reason { return "\(path): \(reason)" }
        return "\(path), held by uid \(owner.map(String.init) ?? "unknown")"
    }
}
