/// Notices changes of directories (inotify(7)).
public protocol DirectoryWatcher: Sendable {
    /// Calls `onChange` on the event loop with the name of the entry that was made, removed, renamed, closed after
    /// writing, or changed in its attributes; with nil when the directory itself changed or events were lost.
    ///
    /// Throws where the directory is absent or may not be read. Must be called on the event loop.
    func watch(_ directory: String, onChange: @escaping @Sendable (String?) -> Void) throws(WatchError) -> WatchToken

    /// No call of `onChange` comes after this. Must be called on the event loop.
    func unwatch(_ token: WatchToken)
}
