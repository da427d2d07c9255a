import Glibc

/// SIGTERM as a byte in a pipe that the loop polls.
enum Termination {
    /// The write end; set once before the handler is in place, and only read by it.
    private nonisolated(unsafe) static var wakeUp: Int32 = -1

    /// The end to poll.
    static func watch() -> Int32 {
        var ends: [Int32] = [-1, -1]
        pipe(&ends)
        wakeUp = ends[1]
        signal(SIGTERM) { _ in
            var byte: UInt8 = 0
            _ = write(Termination.wakeUp, &byte, 1)
        }
        return ends[0]
    }
}
