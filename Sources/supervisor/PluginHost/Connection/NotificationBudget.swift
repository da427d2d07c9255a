/// How many notifications a plugin may send. More is a failure of the plugin: each costs time of the event loop.
struct NotificationBudget: Sendable {
    static let countPerSecond = 100
    /// One frame of the largest size is within it.
    static let bytesPerSecond = 2 << 20

    private var begin: Duration?
    private var count = 0
    private var bytes = 0

    /// Whether one more of this size is within the budget.
    mutating func spend(_ size: Int, at now: Duration) -> Bool {
        if begin.map({ now - $0 >= .seconds(1) }) ?? true {
            begin = now
            count = 0
            bytes = 0
        }
        count += 1
        bytes += size
        return count <= Self.countPerSecond && bytes <= Self.bytesPerSecond
    }
}
