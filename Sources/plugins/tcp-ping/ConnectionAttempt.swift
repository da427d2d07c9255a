import Glibc

/// One attempt to reach the target: its addresses one after the other, each with its share of the time that is left.
struct ConnectionAttempt: ~Copyable {
    enum Progress: Equatable {
        /// Nothing to do before `descriptor` can be written or `wakeUp` has come.
        case waits
        case finished(isConnected: Bool)
    }

    let number: Int
    /// When it has failed, whatever is under way.
    let deadline: Duration
    /// nil while the name is being looked up.
    private var addresses: ArraySlice<SocketAddress>?
    /// The socket that connects.
    private(set) var descriptor: Int32 = -1
    private var shareEnd: Duration = .zero

    init(number: Int, deadline: Duration) {
        self.number = number
        self.deadline = deadline
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    var isLookingUp: Bool { addresses == nil }
    var wakeUp: Duration { descriptor >= 0 ? min(shareEnd, deadline) : deadline }

    mutating func lookedUp(_ addresses: [SocketAddress]) {
        self.addresses = addresses[...]
    }

    /// Continues as far as it can without waiting.
    mutating func advance(at now: Duration) -> Progress {
        if descriptor >= 0 {
            var poller = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            if poll(&poller, 1, 0) > 0 {
                var code: Int32 = 0
                var length = socklen_t(MemoryLayout<Int32>.size)
                if getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length) == 0, code == 0 {
                    return .finished(isConnected: true)
                }
                drop()
            } else if now >= shareEnd {
                drop()
            } else {
                return .waits
            }
        }
        guard now < deadline else { return .finished(isConnected: false) }
        guard let count = addresses?.count else { return .waits }
        for left in stride(from: count, to: 0, by: -1) {
            guard let address = addresses?.popFirst(), let begun = address.connect() else { continue }
            descriptor = begun.descriptor
            if begun.isConnected { return .finished(isConnected: true) }
            shareEnd = now + (deadline - now) / left
            return .waits
        }
        return .finished(isConnected: false)
    }

    private mutating func drop() {
        close(descriptor)
        descriptor = -1
    }
}
