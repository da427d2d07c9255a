/// How the names begin that the core gives to what it clears away, and that storage.reap removes.
public enum LeftoverPrefix {
    /// An application's data that was purged.
    public static let purged = ".purge-"
    /// What stood in the place of a directory or lock of ours.
    public static let stale = ".stale-"
}
