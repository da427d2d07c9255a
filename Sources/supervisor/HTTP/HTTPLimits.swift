public import NIOCore

/// Limits on what one client may use.
public struct HTTPLimits: Sendable, Hashable {
    /// Bytes of a request's target; more is a 414.
    public var targetSize = 8 * 1024
    /// Bytes of the header section, the target included; more is a 431.
    public var headerSize = 32 * 1024
    /// Fields of the header section; more is a 431.
    public var headerFields = 100
    /// Bytes of a request up to which it is dealt with as it comes. What belongs to a larger one waits its turn.
    public var smallRequest = 4096
    /// Bytes of a body; more is a 413.
    public var bodySize = 100 * 1024
    /// Bytes that a client may send ahead while its former request is being answered.
    public var sentAhead = 64 * 1024
    /// SO_SNDBUF of socket(7) in bytes: what the kernel holds for a client that does not read.
    public var sendBuffer = 64 * 1024
    /// Connections of the control socket.
    public var controlConnections = 32
    /// Connections of the uplink's socket.
    public var uplinkConnections = 32
    /// Answers at once that come line by line.
    public var streams = 8

    /// From the first byte of a head, or from the connect, to the end of the head.
    public var headTime = TimeAmount.seconds(10)
    /// From the end of a head to the end of its body.
    public var bodyTime = TimeAmount.seconds(30)
    /// Between a response and the next request.
    public var idleTime = TimeAmount.seconds(60)
    /// While a client takes no byte of its response.
    public var writeTime = TimeAmount.seconds(30)
    /// A client that takes no line of a stream for so long makes room for one that wants to.
    public var stallTime = TimeAmount.seconds(5)
    /// How long what a client still sends is thrown away after a response that ends the connection: closing at once
    /// would reset the connection and could take the response with it.
    public var lingerTime = TimeAmount.seconds(2)
    /// Between two attempts to open a listener that could not be opened.
    public var listenRetryTime = TimeAmount.seconds(5)

    public init() {}
}
