import Glibc
import Synchronization

/// Watches for how long the event loop is busy in one piece, since everything else waits meanwhile: the API, plugins, timers
/// and the watchdog.
///
/// A turn begins with the first piece of work that `run` is given and ends when the loop has done everything that was due by
/// then. One loop per watch; all calls come from its thread, but for `counts`.
public final class LoopWatch: Sendable {
    /// That of the daemon's loop. Does nothing before `start`.
    public static let shared = LoopWatch()

    /// A turn that took longer than it may.
    public struct LongTurn: Sendable, Hashable {
        public var milliseconds: Int
        /// The piece of work that took longest, and its share; nil where none that took more than a moment has a name.
        public var activity: String?
        public var activityMilliseconds = 0
        /// How many pieces of work there were.
        public var pieces = 0
        /// Long turns since the last that was reported, without this one.
        public var unreported = 0

        /// One line for people.
        public var description: String {
            let share = activity.map { ", \(activityMilliseconds) ms of it with \($0)" } ?? ""
            let more = unreported == 0 ? "" : "; \(unreported) such turns before it were not logged"
            return "The event loop was busy for \(milliseconds) ms in \(pieces) pieces of work\(share)\(more)"
        }
    }

    /// Long turns since the start, and the longest of them.
    public struct Counts: Sendable, Hashable {
        public var longTurns = 0
        public var longestMilliseconds = 0
    }

    private struct State {
        var atEndOfTurn: (@Sendable (@escaping @Sendable () -> Void) -> Void)?
        var report: (@Sendable (LongTurn) -> Void)?
        var activity: String?
        var activityTime: UInt64 = 0
        var pieces = 0
        var lastReport: UInt64?
        var unreported = 0
        var counts = Counts()
    }

    /// Of a turn, in nanoseconds.
    private let limit: UInt64
    /// Between two reports, in nanoseconds.
    private let reportInterval: UInt64
    /// A piece of work that takes less is not worth its name, in nanoseconds.
    private static let moment: UInt64 = 5_000_000
    private let isStarted = Atomic(false)
    /// When the turn began; 0 between turns.
    private let turnBegan = Atomic<UInt64>(0)
    private let state = Mutex(State())

    public init(limit: Duration = .milliseconds(250), reportInterval: Duration = .seconds(60)) {
        self.limit = UInt64(max(0, limit / .nanoseconds(1)))
        self.reportInterval = UInt64(max(0, reportInterval / .nanoseconds(1)))
    }

    /// - Parameters:
    ///   - atEndOfTurn: has the loop run something after all that is due now.
    ///   - report: called on the loop with a long turn, once per interval at most.
    public func start(
        atEndOfTurn: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void,
        report: @escaping @Sendable (LongTurn) -> Void
    ) {
        state.withLock {
            $0.atEndOfTurn = atEndOfTurn
            $0.report = report
        }
        isStarted.store(true, ordering: .releasing)
    }

    public var counts: Counts { state.withLock { $0.counts } }

    /// Does a piece of the loop's work. `activity` is what a report calls it, and only asked for where it took long; nil for
    /// what has no name, such as a task in which something else may have one.
    public func run<Result>(_ activity: @autoclosure () -> String?, _ body: () throws -> Result) rethrows -> Result {
        guard isStarted.load(ordering: .acquiring) else { return try body() }
        let begin = Self.now()
        if turnBegan.load(ordering: .relaxed) == 0 { beginTurn(begin) }
        pieceBegan()
        defer {
            let time = Self.now() - begin
            if time >= Self.moment, let name = activity() { note(name, time) }
        }
        return try body()
    }

    private func beginTurn(_ now: UInt64) {
        turnBegan.store(now, ordering: .relaxed)
        let atEndOfTurn = state.withLock { state in
            state.activity = nil
            state.activityTime = 0
            state.pieces = 0
            return state.atEndOfTurn
        }
        atEndOfTurn? { self.endTurn() }
    }

    private func pieceBegan() {
        state.withLock { $0.pieces += 1 }
    }

    private func note(_ activity: String, _ time: UInt64) {
        state.withLock { state in
            guard time > state.activityTime else { return }
            state.activity = activity
            state.activityTime = time
        }
    }

    private func endTurn() {
        let now = Self.now()
        let time = now - turnBegan.exchange(0, ordering: .relaxed)
        guard time > limit else { return }
        let (report, turn) = state.withLock { state -> ((@Sendable (LongTurn) -> Void)?, LongTurn) in
            let milliseconds = Int(time / 1_000_000)
            state.counts.longTurns += 1
            state.counts.longestMilliseconds = max(state.counts.longestMilliseconds, milliseconds)
            let turn = LongTurn(
                milliseconds: milliseconds,
                activity: state.activity,
                activityMilliseconds: Int(state.activityTime / 1_000_000),
                pieces: state.pieces,
                unreported: state.unreported
            )
            if let last = state.lastReport, now - last < reportInterval {
                state.unreported += 1
                return (nil, turn)
            }
            state.lastReport = now
            state.unreported = 0
            return (state.report, turn)
        }
        report?(turn)
    }

    private static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
