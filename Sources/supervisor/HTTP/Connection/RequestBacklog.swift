import NIOCore
import NIOHTTP1

/// What a client has sent ahead while its former request is being answered (RFC 9112, section 9.3.2): the parts of the
/// requests that wait for their turn, what the parser says after them, and how many bytes they were.
///
/// NIO's own HTTPServerPipelineHandler keeps such requests too, but it stops reading for each request: that is two calls of
/// epoll_ctl(2) more for every one, though nearly every client waits for its answer. Here reading stops once something has
/// been sent ahead.
struct RequestBacklog {
    private var parts = CircularBuffer<HTTPServerRequestPart>(initialCapacity: 0)
    private var error: HTTPParserError?
    private var byteCount = 0
    private var isResuming = false
    private var readIsHeld = false

    /// Whether a part, or an error, that comes now may be taken at once.
    var isPassable: Bool { parts.isEmpty && !isResuming }

    /// Whether the client has sent something that it will get no answer to if the connection ends now.
    var hasUnanswered: Bool { !parts.isEmpty || byteCount > 0 }

    /// Counts bytes that came while a request is being answered. False once they are more than `limit`.
    mutating func admits(byteCount count: Int, limit: Int) -> Bool {
        byteCount += count
        return byteCount <= limit
    }

    mutating func append(_ part: HTTPServerRequestPart) {
        parts.append(part)
    }

    /// The parser makes nothing of what follows the parts.
    mutating func fail(_ error: HTTPParserError) {
        self.error = error
    }

    mutating func removeParts() {
        parts.removeAll()
    }

    // MARK: Taking turns

    /// False where the parts are being taken already. Everything up to `endResuming()` waits behind them.
    mutating func beginResuming() -> Bool {
        guard !isResuming else { return false }
        isResuming = true
        return true
    }

    mutating func popFirst() -> HTTPServerRequestPart? { parts.popFirst() }

    mutating func endResuming() {
        isResuming = false
    }

    /// Every part has had its turn: forgets their bytes. Returns what the parser said after them.
    mutating func finish() -> HTTPParserError? {
        byteCount = 0
        defer { error = nil }
        return error
    }

    // MARK: Reading

    /// Whether a read is to wait because something has been sent ahead; `releasesRead()` has it made up for then.
    mutating func holdsRead() -> Bool {
        guard byteCount > 0 else { return false }
        readIsHeld = true
        return true
    }

    /// Whether a read was held. True once for it.
    mutating func releasesRead() -> Bool {
        defer { readIsHeld = false }
        return readIsHeld
    }
}
