import Glibc
import NIOCore
import NIOPosix
import SupervisorPorts
import Synchronization
import Testing

/// Long turns that a watch has reported.
private final class Reports: Sendable {
    private let all = Mutex<[LoopWatch.LongTurn]>([])

    var turns: [LoopWatch.LongTurn] { all.withLock { $0 } }

    func append(_ turn: LoopWatch.LongTurn) { all.withLock { $0.append(turn) } }
}

struct LoopWatchTests {
    private let loop = MultiThreadedEventLoopGroup.singleton.next()
    private let reports = Reports()

    /// Runs `body` in one turn of the loop, and returns after the turn.
    private func turn(_ watch: LoopWatch, _ body: @escaping @Sendable () -> Void) async throws {
        let loop = loop
        watch.start {
            loop.execute($0)
        } report: { [reports] in
            reports.append($0)
        }
        try await loop.submit { body() }.get()
        // What a turn schedules at its end has run when this has.
        try await loop.submit {}.get()
    }

    @Test func `a turn that takes too long is reported with what took longest in it`() async throws {
        let watch = LoopWatch(limit: .milliseconds(20))
        try await turn(watch) {
            watch.run(nil) {
                watch.run("something short") { _ = usleep(6000) }
                watch.run("something long") { _ = usleep(30_000) }
            }
        }
        let report = try #require(reports.turns.first)
        #expect(reports.turns.count == 1)
        #expect(report.activity == "something long" && report.milliseconds >= 36 && report.pieces == 3)
        #expect(report.activityMilliseconds >= 30 && report.activityMilliseconds <= report.milliseconds)
        #expect(report.description.contains("something long"))
        #expect(watch.counts.longTurns == 1 && watch.counts.longestMilliseconds == report.milliseconds)
    }

    @Test func `many short pieces of work in one turn are a long turn`() async throws {
        let watch = LoopWatch(limit: .milliseconds(20))
        try await turn(watch) { for _ in 0..<30 { watch.run("a piece") { _ = usleep(1000) } } }
        #expect(reports.turns.first?.pieces == 30)
    }

    @Test func `a short turn is not reported`() async throws {
        let watch = LoopWatch(limit: .seconds(100))
        try await turn(watch) { watch.run("a piece") {} }
        #expect(reports.turns.isEmpty && watch.counts.longTurns == 0)
    }

    @Test func `of the turns within an interval one is reported and all are counted`() async throws {
        let watch = LoopWatch(limit: .milliseconds(1), reportInterval: .seconds(1000))
        for _ in 0..<3 { try await turn(watch) { watch.run("a piece") { _ = usleep(2000) } } }
        #expect(reports.turns.count == 1)
        #expect(watch.counts.longTurns == 3)
    }
}
