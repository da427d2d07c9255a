/// Names a fan-out that is under way.
public struct NATSFanOutID: Sendable, Hashable {
    let number: Int
}
