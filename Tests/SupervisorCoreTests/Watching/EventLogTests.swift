import TestSupport
import Testing

@testable import SupervisorCore

struct EventLogTests {
    /// The lines that one who watches from now on is given.
    private func past(_ log: inout EventLog) async -> [String] {
        let executor = ThreadExecutor()
        defer { executor.end() }
        let stream = LineStream(executor: executor)
        var watched = log
        let number = await Task(executorPreference: executor) { [watched] in
            var log = watched
            return log.watch(stream, since: .min)
        }.value
        watched.unwatch(number)
        await stream.finish()
        var text: [UInt8] = []
        while let bytes = await stream.next() { text += bytes }
        return String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    @Test func `the last events are bounded in number`() async {
        var log = EventLog()
        for number in 0..<250 { log.append(.updateFailed("reason \(number)"), time: Int64(number)) }
        let lines = await past(&log)
        #expect(lines.count == EventLog.capacity)
        #expect(lines.first?.contains("reason 50") == true && lines.last?.contains("reason 249") == true)
    }

    @Test func `the last events are bounded in bytes`() async {
        var log = EventLog()
        for number in 0..<250 { log.append(.updateFailed("\(number) x" + HostileText.marks(100_000)), time: 1) }
        let lines = await past(&log)
        #expect(lines.reduce(0) { $0 + $1.utf8.count } <= EventLog.byteCapacity)
        #expect(lines.count > 100 && lines.allSatisfy { $0.utf8.count < 2 * EventLog.textLimit })
        #expect(lines.last?.contains("\"reason\":\"249 ") == true && lines.last?.contains("…") == true)
    }
}
