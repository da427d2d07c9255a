/// Names a request that is open: its place in the table, and which of the place's tenants it is.
public struct NATSRequestID: Sendable, Hashable {
    let slot: UInt32
    let generation: UInt32
}
