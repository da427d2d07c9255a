public import NIOCore

/// What happens to a client's connection.
public enum NATSEvent: Sendable {
    case connected(NATSServer, NATSServerInfo)
    /// An attempt failed, or the connection ended. The next attempt follows by itself.
    case failed(NATSError, retryAfter: TimeAmount)
    /// The server is going to close the connection. Nothing need be done.
    case lameDuck
    /// The server refused something and left the connection open, such as a subject that is not permitted.
    case refused(String)
    /// After `close()`, and nothing comes after it.
    case closed
}
