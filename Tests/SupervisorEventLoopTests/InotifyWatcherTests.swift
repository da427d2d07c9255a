import Glibc
import Logging
import NIOCore
import SupervisorEventLoop
import SupervisorPorts
import Testing

@Suite(.timeLimit(.minutes(1)))
struct InotifyWatcherTests {
    private typealias Changes = AsyncStream<String?>

    private static func changes() -> (Changes, Changes.Continuation) {
        Changes.makeStream(bufferingPolicy: .bufferingNewest(64))
    }

    /// Runs `body` on a loop, with a watcher and an empty directory that is removed afterwards.
    private static func withDirectory(
        _ body: @escaping @Sendable (InotifyWatcher, String) async throws -> Void
    ) async throws {
        try await onLoop { loop in
            var template = Array("/tmp/watcher-test-XXXXXX".utf8CString)
            let directory = try #require(mkdtemp(&template).map { String(cString: $0) })
            let watcher = try await InotifyWatcher.start(on: loop, logger: Logger(label: "test")).get()
            do { try await body(watcher, directory) } catch { Issue.record(error) }
            try await watcher.close().get()
            for name in ["a", "b", "inner"] { remove("\(directory)/\(name)") }
            rmdir(directory)
        }
    }

    private static func make(_ path: String) {
        close(creat(path, 0o644))
    }

    @Test func `what happens to an entry is told with its name`() async throws {
        try await Self.withDirectory { watcher, directory in
            let (changes, continuation) = Self.changes()
            _ = try watcher.watch(directory) { continuation.yield($0) }
            var seen = changes.makeAsyncIterator()
            Self.make("\(directory)/a")
            #expect(await seen.next() == "a")
            // Closed after writing.
            #expect(await seen.next() == "a")
            rename("\(directory)/a", "\(directory)/b")
            #expect(await seen.next() == "a")
            #expect(await seen.next() == "b")
            unlink("\(directory)/b")
            #expect(await seen.next() == "b")
        }
    }

    @Test func `two watches of one directory live and end apart`() async throws {
        try await Self.withDirectory { watcher, directory in
            let (first, toFirst) = Self.changes()
            let (second, toSecond) = Self.changes()
            let token = try watcher.watch(directory) { toFirst.yield($0) }
            _ = try watcher.watch("\(directory)/.") { toSecond.yield($0) }
            mkdir("\(directory)/inner", 0o755)
            var seenFirst = first.makeAsyncIterator()
            var seenSecond = second.makeAsyncIterator()
            #expect(await seenFirst.next() == "inner")
            #expect(await seenSecond.next() == "inner")
            watcher.unwatch(token)
            watcher.unwatch(token)
            rmdir("\(directory)/inner")
            #expect(await seenSecond.next() == "inner")
            toFirst.finish()
            #expect(await seenFirst.next() == nil)
        }
    }

    @Test func `a callback may end its own watch and the next one's`() async throws {
        try await Self.withDirectory { watcher, directory in
            let (changes, continuation) = Self.changes()
            let tokens = Recorder<WatchToken>()
            for number in 1...3 {
                let token = try watcher.watch(directory) { _ in
                    continuation.yield("\(number)")
                    if number == 1 { for token in tokens.elements.prefix(2) { watcher.unwatch(token) } }
                }
                tokens.append(token)
            }
            mkdir("\(directory)/inner", 0o755)
            var seen = changes.makeAsyncIterator()
            #expect(await seen.next() == "1")
            #expect(await seen.next() == "3")
        }
    }

    @Test func `a directory that is removed is told as nil, and may be watched anew`() async throws {
        try await Self.withDirectory { watcher, directory in
            let inner = "\(directory)/inner"
            mkdir(inner, 0o755)
            let (changes, continuation) = Self.changes()
            let token = try watcher.watch(inner) { continuation.yield($0) }
            rmdir(inner)
            var seen = changes.makeAsyncIterator()
            #expect(await seen.next() == .some(nil))
            mkdir(inner, 0o755)
            watcher.unwatch(token)
            let (again, toAgain) = Self.changes()
            _ = try watcher.watch(inner) { toAgain.yield($0) }
            mkdir("\(inner)/x", 0o755)
            var seenAgain = again.makeAsyncIterator()
            #expect(await seenAgain.next() == "x")
            rmdir("\(inner)/x")
        }
    }

    @Test func `a directory that is renamed away is told as nil`() async throws {
        try await Self.withDirectory { watcher, directory in
            mkdir("\(directory)/inner", 0o755)
            let (changes, continuation) = Self.changes()
            _ = try watcher.watch("\(directory)/inner") { continuation.yield($0) }
            rename("\(directory)/inner", "\(directory)/a")
            var seen = changes.makeAsyncIterator()
            #expect(await seen.next() == .some(nil))
        }
    }

    @Test(arguments: [("/nowhere/at/all", ENOENT), ("/etc/passwd", ENOTDIR)])
    func `what cannot be watched says why`(path: String, code: Int32) async throws {
        try await Self.withDirectory { watcher, _ in
            let error = #expect(throws: WatchError.self) { try watcher.watch(path) { _ in } }
            #expect(error?.code == code)
            #expect(error?.description.hasPrefix("\(path): ") == true)
        }
    }

    @Test func `a closed watcher refuses`() async throws {
        try await onLoop { loop in
            let watcher = try await InotifyWatcher.start(on: loop, logger: Logger(label: "test")).get()
            try await watcher.close().get()
            #expect(throws: WatchError.self) { try watcher.watch("/") { _ in } }
        }
    }
}
