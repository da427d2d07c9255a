import NIOCore

/// Many requests, of which a window's worth are open at a time.
final class FanOut {
    let id: NATSFanOutID
    let window: Int
    let deadline: TimeAmount
    private let batch: Int
    private let next: () -> NATSRequest?
    private let results: ([NATSFanOutResult]) -> Void
    private let done: () -> Void

    private(set) var open = 0
    private(set) var sent = 0
    private var isExhausted = false
    private var collected: [NATSFanOutResult] = []
    /// Whether another turn of the loop is going to send more.
    var isScheduled = false

    init(
        id: NATSFanOutID,
        window: Int,
        deadline: TimeAmount,
        batch: Int,
        next: @escaping () -> NATSRequest?,
        results: @escaping ([NATSFanOutResult]) -> Void,
        done: @escaping () -> Void
    ) {
        self.id = id
        self.window = max(window, 1)
        self.deadline = deadline
        self.batch = max(batch, 1)
        self.next = next
        self.results = results
        self.done = done
    }

    /// The next request with its place, where the window has room.
    func take() -> (index: Int, request: NATSRequest)? {
        guard open < window, !isExhausted else { return nil }
        guard let request = next() else {
            isExhausted = true
            return nil
        }
        open += 1
        sent += 1
        return (sent - 1, request)
    }

    func finished(_ index: Int, _ result: Result<NATSReply, NATSError>) {
        open -= 1
        collected.append(NATSFanOutResult(index: index, result: result))
        if collected.count >= batch { handOut() }
    }

    func handOut() {
        guard !collected.isEmpty else { return }
        let batch = collected
        collected.removeAll(keepingCapacity: true)
        results(batch)
    }

    func stop() {
        isExhausted = true
    }

    /// Whether all is over. `done` is for the client to call, once it has let go of this.
    var isOver: Bool { isExhausted && open == 0 }

    func end() {
        handOut()
        done()
    }
}
