import NIOCore

/// One message of the protocol, from a server.
enum ServerFrame {
    /// The JSON text after INFO.
    case info(ByteBuffer)
    case message(Message)
    case ping
    case pong
    case ok
    /// The text of -ERR, without quotation marks.
    case error(String)

    /// MSG or HMSG.
    struct Message {
        var subscription: Int
        var subject: ByteBuffer
        var reply: ByteBuffer?
        /// Empty, or the headers with their status line.
        var headers: ByteBuffer
        var payload: ByteBuffer
    }
}
