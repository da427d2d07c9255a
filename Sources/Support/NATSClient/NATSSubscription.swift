/// Names a subscription of a client.
public struct NATSSubscription: Sendable, Hashable {
    let id: Int
}
