internal import Glibc

/// Why there is no answer.
public struct UnixHTTPError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Reason: Sendable, Hashable {
        /// errno(3) of connect(2): ENOENT without a socket, ECONNREFUSED without a listener behind it, EACCES without
        /// the right to use it, EAGAIN with too many connections waiting.
        case connectFailed(Int32)
        /// The transport could not connect, or has failed, with its own words for the reason.
        case transportFailed(String)
        /// The connection ended before the answer did. Whether the request took effect is unknown.
        case closed(answerBegun: Bool)
        /// The answer, or its next part, did not come within this time.
        case timedOut(Duration)
        /// The answer's body has more bytes than this.
        case answerTooLarge(limit: Int)
        /// What came back is not HTTP/1.
        case malformedAnswer(String)
        /// The request cannot be written as HTTP/1. Nothing was sent.
        case invalidRequest(String)
        /// The calling task was cancelled.
        case cancelled
    }

    public var reason: Reason
    /// Of the socket, or what the transport calls the server.
    public var path: String

    public init(_ reason: Reason, path: String) {
        self.reason = reason
        self.path = path
    }

    /// One line for people, which names the socket.
    public var description: String {
        switch reason {
        case .connectFailed(let code): "cannot connect to \(path): \(String(cString: strerror(code)))"
        case .transportFailed(let text): "cannot reach \(path): \(text)"
        case .closed(answerBegun: false): "\(path) closed the connection without an answer"
        case .closed(answerBegun: true): "\(path) closed the connection in the middle of its answer"
        case .timedOut(let duration): "no answer from \(path) within \(duration)"
        case .answerTooLarge(let limit): "the answer from \(path) is larger than \(limit) bytes"
        case .malformedAnswer(let detail): "the answer from \(path) is not HTTP: \(detail)"
        case .invalidRequest(let detail): "invalid request to \(path): \(detail)"
        case .cancelled: "the request to \(path) was cancelled"
        }
    }
}
