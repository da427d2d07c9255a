/// Why a line is not a frame.
public struct FrameError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: Sendable, Hashable {
        /// Not JSON (-32700).
        case parse
        /// JSON, but no message of the protocol (-32600).
        case invalid
        /// Longer than the protocol allows (-32600).
        case tooLong
    }

    public var kind: Kind
    /// What is wrong, without the line's text.
    public var reason: String
    /// The id of the request, where that much could be read.
    public var id: RequestID?

    public init(_ kind: Kind, _ reason: String, id: RequestID? = nil) {
        self.kind = kind
        self.reason = reason
        self.id = id
    }

    public var description: String { reason }
}
