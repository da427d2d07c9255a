/// One watch of a `DirectoryWatcher`.
public struct WatchToken: Sendable, Hashable {
    public let number: Int

    public init(number: Int) {
        self.number = number
    }
}
