/// What became of one request of a fan-out.
public struct NATSFanOutResult: Sendable {
    /// The place of the request in the sequence.
    public var index: Int
    public var result: Result<NATSReply, NATSError>
}
