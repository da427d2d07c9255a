import NIOCore
import NIOHTTP1
import Testing

@testable import SupervisorHTTP

struct RequestBacklogTests {
    private static let body = HTTPServerRequestPart.body(ByteBuffer(string: "x"))

    @Test func `what is sent ahead is taken in its order`() {
        var backlog = RequestBacklog()
        #expect(backlog.isPassable)
        let nothing = backlog.popFirst()
        #expect(nothing == nil)
        backlog.append(Self.body)
        backlog.append(.end(nil))
        #expect(!backlog.isPassable)
        let parts = [backlog.popFirst(), backlog.popFirst(), backlog.popFirst()]
        #expect(parts == [Self.body, .end(nil), nil])
        #expect(backlog.isPassable)
    }

    @Test func `nothing passes while the parts are being taken, and they are not taken twice at once`() {
        var backlog = RequestBacklog()
        let begins = [backlog.beginResuming(), backlog.beginResuming()]
        #expect(begins == [true, false])
        #expect(!backlog.isPassable)
        backlog.endResuming()
        #expect(backlog.isPassable)
        let beginsAgain = backlog.beginResuming()
        #expect(beginsAgain)
    }

    @Test func `bytes are admitted up to the limit, all of them together`() {
        var backlog = RequestBacklog()
        let admitted = [6, 4, 1].map { backlog.admits(byteCount: $0, limit: 10) }
        #expect(admitted == [true, true, false])
        let error = backlog.finish()
        #expect(error == nil)
        let admittedAgain = backlog.admits(byteCount: 10, limit: 10)
        #expect(admittedAgain)
    }

    @Test func `bytes and parts are unanswered until they have had their turn`() {
        var backlog = RequestBacklog()
        #expect(!backlog.hasUnanswered)
        _ = backlog.admits(byteCount: 1, limit: 10)
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
        let part = backlog.popFirst()
        #expect(part == .end(nil))
        let errors = [backlog.finish(), backlog.finish()]
        #expect(errors == [.invalidMethod, nil])
    }

    @Test func `a read is held only once something is sent ahead, and released once`() {
        var backlog = RequestBacklog()
        let before = [backlog.holdsRead(), backlog.releasesRead()]
        #expect(before == [false, false])
        _ = backlog.admits(byteCount: 1, limit: 10)
        let after = [backlog.holdsRead(), backlog.releasesRead(), backlog.releasesRead()]
        #expect(after == [true, true, false])
    }
}
