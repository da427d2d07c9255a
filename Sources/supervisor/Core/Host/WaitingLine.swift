/// Lets callers of one thing have their turn one at a time, in the order in which they came.
///
/// Belongs to the core actor; only that one touches it.
final class WaitingLine {
    private var isBusy = false
    private var waiters: [CheckedContinuation<Void, Never>] = []

    /// More callers than this are refused at once.
    static let maximumWaiters = 32

    /// Returns when it is the caller's turn, who must `leave` afterwards. Throws `busy` where too many wait already.
    func enter() async throws(SupervisorError) {
        guard isBusy else {
            isBusy = true
            return
        }
        guard waiters.count < Self.maximumWaiters else {
            throw SupervisorError(.busy, "Too many requests of this kind are under way", retryAfter: 5)
        }
        await withCheckedContinuation { waiters.append($0) }
    }

    func leave() {
        if waiters.isEmpty {
            isBusy = false
        } else {
            waiters.removeFirst().resume()
        }
    }
}
