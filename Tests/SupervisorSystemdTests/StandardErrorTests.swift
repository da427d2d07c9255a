import Glibc
import Logging
import Testing

@testable import SupervisorSystemd

struct StandardErrorTests {
    private final class Pipe {
        let readEnd: Int32
        let writeEnd: Int32

        init() {
            var ends: [Int32] = [-1, -1]
            pipe(&ends)
            (readEnd, writeEnd) = (ends[0], ends[1])
            fcntlNonBlocking(readEnd)
        }

        deinit {
            close(readEnd)
            close(writeEnd)
        }

        /// All that is there.
        func drain() -> [UInt8] {
            var all: [UInt8] = []
            var bytes = [UInt8](repeating: 0, count: 65536)
            while true {
                let count = read(readEnd, &bytes, bytes.count)
                guard count > 0 else { return all }
                all += bytes.prefix(count)
            }
        }

        func text() -> String { String(decoding: drain(), as: UTF8.self) }
    }

    private func log(_ sink: LineSink, _ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata = [:]) {
        StandardErrorLogHandler(sink: sink, level: .trace).log(
            event: LogEvent(
                level: level,
                message: "\(message)",
                metadata: metadata,
                source: nil,
                file: "F",
                function: "f",
                line: 1
            )
        )
    }

    @Test func `a message is one line with its priority and its metadata`() {
        let pipe = Pipe()
        let sink = LineSink(descriptor: pipe.writeEnd)
        log(sink, .warning, "locked", ["app-id": "2167", "path": "/a b", "quote": "a\"b", "empty": ""])
        #expect(pipe.text() == #"<4>locked app-id=2167 empty="" path="/a b" quote="a\"b""# + "\n")
    }

    @Test func `nothing in a message ends its line or reaches a terminal as a command`() {
        let pipe = Pipe()
        log(LineSink(descriptor: pipe.writeEnd), .info, "one\ntwo\u{1B}[2J\u{0}\r", ["k": "a\nb"])
        #expect(pipe.text() == #"<6>one\ntwo\x1b[2J\x00\x0d k="a\nb""# + "\n")
    }

    @Test func `a line is 4096 bytes at most`() {
        let pipe = Pipe()
        log(LineSink(descriptor: pipe.writeEnd), .info, String(repeating: "é", count: 4000))
        let bytes = pipe.drain()
        #expect(bytes.count <= 4096 && bytes.count > 4000)
        #expect(String(decoding: bytes, as: UTF8.self).hasSuffix("é…\n"))
    }

    @Test(.timeLimit(.minutes(1))) func `a full pipe loses lines without waiting, and says how many`() {
        let pipe = Pipe()
        let sink = LineSink(descriptor: pipe.writeEnd)
        let long = String(repeating: "x", count: 4000)
        for _ in 0..<100 { log(sink, .info, long) }
        let kept = pipe.text().split(separator: "\n").count
        #expect(kept < 100 && kept > 0)
        log(sink, .info, "after")
        #expect(pipe.text() == "<4>\(100 - kept) log messages were dropped: standard error was full\n<6>after\n")
    }

    @Test func `a terminal gets the level as a word`() {
        let pipe = Pipe()
        log(LineSink(descriptor: pipe.writeEnd, isTerminal: true), .error, "broken")
        #expect(pipe.text() == "error: broken\n")
    }

    @Test func `the journal's stream is known by device and inode, not by the variable alone`() {
        let pipe = Pipe()
        var status = stat()
        fstat(pipe.writeEnd, &status)
        #expect(isJournalStream(pipe.writeEnd, "\(status.st_dev):\(status.st_ino)"))
        for other in [nil, "", ":", "\(status.st_dev):\(status.st_ino + 1)", "\(status.st_dev)", "1:2:3", "a:b"] {
            #expect(!isJournalStream(pipe.writeEnd, other))
        }
        #expect(!isJournalStream(-1, "\(status.st_dev):\(status.st_ino)"))
    }
}

private func fcntlNonBlocking(_ descriptor: Int32) {
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
}
