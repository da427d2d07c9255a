import NIOCore
import NIOHTTP1
import Testing

@testable import SupervisorHTTP

struct RequestBacklogTests {
    private static let body = HTTPServerRequestPart.body(ByteBuffer(string: "x"))

    @Test func `what is sent ahead is taken in its order`() {
        var backlog = RequestBacklog()
        #expect(backlog.isPassable && backlog.popFirst() == nil)
        backlog.append(Self.body)
        backlog.append(.end(nil))
        #expect(!backlog.isPassable)
        #expect(backlog.popFirst() == Self.body)
        #expect(backlog.popFirst() == .end(nil))
        #expect(backlog.popFirst() == nil)
        #expect(backlog.isPassable)
    }

    @Test func `nothing passes while the parts are being taken, and they are not taken twice at once`() {
        var backlog = RequestBacklog()
        #expect(backlog.beginResuming())
        #expect(!backlog.isPassable)
        #expect(!backlog.beginResuming())
        backlog.endResuming()
        #expect(backlog.isPassable)
        #expect(backlog.beginResuming())
    }

    @Test func `bytes are admitted up to the limit, all of them together`() {
        var backlog = RequestBacklog()
        #expect(backlog.admits(byteCount: 6, limit: 10))
        #expect(backlog.admits(byteCount: 4, limit: 10))
        #expect(!backlog.admits(byteCount: 1, limit: 10))
        #expect(backlog.finish() == nil)
        #expect(backlog.admits(byteCount: 10, limit: 10))
    }

    @Test func `bytes and parts are unanswered until they have had their turn`() {
        var backlog = RequestBacklog()
        #expect(!backlog.hasUnanswered)
        #expect(backlog.admits(byteCount: 1, limit: 10))
        #expect(backlog.hasUnanswered)
        backlog.append(Self.body)
        _ = backlog.finish()
        #expect(backlog.hasUnanswered)
        backlog.removeParts()
        #expect(!backlog.hasUnanswered)
    }

    @Test func `the parser's error comes after the parts, once`() {
        var backlog = RequestBacklog()
        backlog.append(.end(nil))
        backlog.fail(.invalidMethod)
        #expect(backlog.popFirst() == .end(nil))
        #expect(backlog.finish() == .invalidMethod)
        #expect(backlog.finish() == nil)
    }

    @Test func `a read is held only once something is sent ahead, and released once`() {
        var backlog = RequestBacklog()
        #expect(!backlog.holdsRead())
        #expect(!backlog.releasesRead())
        #expect(backlog.admits(byteCount: 1, limit: 10))
        #expect(backlog.holdsRead())
        #expect(backlog.releasesRead())
        #expect(!backlog.releasesRead())
    }
}
