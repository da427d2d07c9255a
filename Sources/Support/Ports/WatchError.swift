/// Why a directory cannot be watched.
public struct WatchError: Error, Sendable, Hashable, CustomStringConvertible {
    public var directory: String
    /// errno(3) of inotify_add_watch(2).
    public var code: Int32
    public var description: String

    public init(directory: String, code: Int32, description: String) {
        self.directory = directory
        self.code = code
        self.description = description
    }
}
