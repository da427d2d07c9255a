/// An update lock that is held: something exists at one of the lock paths, or it cannot be ruled out.
struct HeldLock: Sendable, Hashable {
    var app: AppID
    /// nil for the lock in the application's /data.
    var service: String?
    var path: String
    /// Owner of what is there; nil where we may not look.
    var owner: UInt32?
    /// Seconds since 1970 of its last change; nil where we may not look.
    var since: Int64?
    /// Why it counts as held although nothing was seen at the path.
    var reason: String?

    /// One line for people.
    var description: String {
        if let reason { return "\(path): \(reason)" }
        return "\(path), held by uid \(owner.map(String.init) ?? "unknown")"
    }
}
