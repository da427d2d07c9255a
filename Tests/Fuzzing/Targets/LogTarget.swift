import JSON
import Logging
import NIOCore

@testable import SupervisorCore
@testable import SupervisorEngine
@testable import SupervisorHTTP
@testable import SupervisorSystemd

/// Lines that apps write, as far as they are kept, shown and logged.
struct LogTarget: FuzzTarget {
    private let key = ServiceKey(app: AppID(1), service: "main")

    func run(_ input: [UInt8]) {
        let lines = Lines()
        var consumer = LogConsumer(hasFrames: false) { lines.all.append($0) }
        let half = input.count / 2
        _ = consumer.receive(ByteBuffer(bytes: input[..<half]))
        _ = consumer.receive(ByteBuffer(bytes: input[half...]))
        consumer.finish()
        keep(lines.all)
        if let longest = lines.all.max(by: { $0.text.utf8.count < $1.text.utf8.count }) {
            show(longest.text, input.count % 4)
        }
    }

    /// `@unchecked Sendable`: there is one thread.
    private final class Lines: @unchecked Sendable {
        var all: [EngineLogLine] = []
    }

    private func keep(_ lines: [EngineLogLine]) {
        var tracker = CrashTracker()
        for second in 1...3 { tracker.died(key, exitCode: 1, at: .seconds(second)) }
        tracker.record(lines, of: key)
        let kept = tracker.lines(of: key, at: .seconds(3))
        precondition(kept.allSatisfy { $0.utf8.count <= 512 }, "a line is kept that is too long")
        var document: [UInt8] = []
        JSONValue.array(kept.map(JSONValue.string)).encode(into: &document)
        precondition((try? JSONValue(parsing: document)) != nil, "a line cannot be shown")
    }

    /// One of the ways in which a line is shown.
    private func show(_ text: String, _ way: Int) {
        switch way {
        case 0: log(text)
        case 1:
            var events = EventLog()
            events.append(.updateFailed(text), time: 1)
        case 2:
            _ = APIText.sanitised(text)
            _ = APIText.onOneLine(text)
        default:
            precondition(text.oneLine.utf8.count <= 500, "a text on one line is too long")
        }
    }

    private func log(_ text: String) {
        var line: [UInt8] = []
        LogText.appendOneLine(text, to: &line)
        LogText.shorten(&line, to: 4095)
        precondition(line.count <= 4095 && !line.contains(0x0A), "a line of the log is not one")
        var message = "x"
        LogText.append(["service": "\(text)"], to: &message)
    }
}
