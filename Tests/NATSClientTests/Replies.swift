import NIOCore
import Synchronization

@testable import NATSClient

/// Texts in the order in which they came.
final class Replies: Sendable {
    private let texts = Mutex<[String]>([])

    func add(_ text: String) { texts.withLock { $0.append(text) } }
    var all: [String] { texts.withLock { $0 } }
}

extension AsyncNATSClient {
    /// Waits until the server has done what was sent, and what it sent before has been received.
    func barrier() async {
        await withCheckedContinuation { continuation in
            loop.execute {}
            Task {
                try? await onLoop { client in client.ping { continuation.resume() } }
            }
        }
    }
}
