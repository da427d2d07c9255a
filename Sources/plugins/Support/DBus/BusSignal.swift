/// A signal that came over the bus.
public struct BusSignal: Sendable, Hashable {
    /// The unique name of who sent it.
    public var sender: String
    public var path: String
    public var interface: String
    public var member: String
    public var arguments: [BusValue]
}
