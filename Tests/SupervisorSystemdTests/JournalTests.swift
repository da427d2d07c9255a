import Logging
import Testing

@testable import SupervisorSystemd

struct JournalTests {
    private func handler(_ receiver: Receiver, level: Logger.Level = .trace) throws -> JournalLogHandler {
        JournalLogHandler(journal: try #require(JournalSocket(path: receiver.path)), level: level)
    }

    private func event(_ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata? = nil) -> LogEvent {
        LogEvent(
            level: level,
            message: "\(message)",
            metadata: metadata,
            source: nil,
            file: "F",
            function: "f",
            line: 1
        )
    }

    @Test func `known metadata becomes fields, and the rest goes into the message`() throws {
        let receiver = Receiver()
        var handler = try handler(receiver)
        handler[metadataKey: "app-id"] = "2167"
        handler.log(
            event: event(.notice, "stopped", ["service": "main", "request-id": "r1", "took": "3 s", "code": "0"])
        )
        #expect(
            receiver.nextText() == """
                MESSAGE=stopped code=0 took="3 s"
                PRIORITY=5
                SYSLOG_IDENTIFIER=device-supervisor
                REQUEST_ID=r1
                SUPERVISOR_REQUEST_ID=r1
                SUPERVISOR_APP_ID=2167
                SUPERVISOR_SERVICE=main

                """
        )
    }

    @Test func `plugin and operation become fields, and the message keeps them`() throws {
        let receiver = Receiver()
        var handler = try handler(receiver)
        handler[metadataKey: "plugin"] = "led"
        handler.log(event: event(.info, "blinks", ["operation": "led.blink", "request-id": "r1", "took": "1"]))
        #expect(
            receiver.nextText() == """
                MESSAGE=blinks operation=led.blink plugin=led took=1
                PRIORITY=6
                SYSLOG_IDENTIFIER=device-supervisor
                PLUGIN=led
                OPERATION=led.blink
                REQUEST_ID=r1
                SUPERVISOR_REQUEST_ID=r1

                """
        )
    }

    @Test(arguments: [
        (Logger.Level.trace, 7), (.debug, 7), (.info, 6), (.notice, 5), (.warning, 4), (.error, 3), (.critical, 2),
    ])
    func `levels are the priorities of syslog`(level: Logger.Level, priority: Int) throws {
        let receiver = Receiver()
        try handler(receiver).log(event: event(level, "x"))
        #expect(receiver.nextText()?.contains("\nPRIORITY=\(priority)\n") == true)
    }

    @Test func `a value with a line feed goes by its length`() {
        var bytes: [UInt8] = []
        JournalSocket.append("MESSAGE", "a\nPRIORITY=0", to: &bytes)
        #expect(bytes == Array("MESSAGE\n".utf8) + [12, 0, 0, 0, 0, 0, 0, 0] + Array("a\nPRIORITY=0\n".utf8))
    }

    @Test func `a value that is too long is shortened at a character`() {
        var bytes: [UInt8] = []
        JournalSocket.append("MESSAGE", String(repeating: "ä", count: 40_000), to: &bytes)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(bytes.count <= JournalSocket.longestValue + "MESSAGE=\n".utf8.count)
        #expect(text.hasSuffix("ä…\n"))
        #expect(!text.contains("\u{FFFD}"))
    }

    @Test func `an error that comes with an event is in the message`() throws {
        struct Broken: Error, CustomStringConvertible { var description: String { "it broke" } }
        let receiver = Receiver()
        var event = event(.error, "no update")
        event.error = Broken()
        try handler(receiver).log(event: event)
        #expect(receiver.nextText()?.hasPrefix("MESSAGE=no update error=\"it broke\"\n") == true)
    }

    @Test func `a full journal loses messages without waiting, and is told how many`() throws {
        let receiver = Receiver()
        let journal = try #require(JournalSocket(path: receiver.path))
        // More than the queue holds: 10 by default, up to a few hundred on distributions that raise it.
        for number in 0..<5000 { journal.send(priority: 6, message: "m\(number)", fields: []) }
        var kept = 0
        while receiver.next() != nil { kept += 1 }
        #expect(kept < 5000)
        journal.send(priority: 6, message: "after", fields: [])
        let expected = "MESSAGE=\(5000 - kept) log messages were dropped: the journal accepted no more\n"
        #expect(receiver.nextText()?.hasPrefix(expected) == true)
        #expect(receiver.nextText()?.hasPrefix("MESSAGE=after\n") == true)
        #expect(receiver.next() == nil)
    }
}
