import Testing

@testable import SupervisorCore

struct CrashTrackerTests {
    private static let key = ServiceKey(app: AppID(1), service: "main")
    private static let other = ServiceKey(app: AppID(1), service: "other")

    private static func tracker(deathsAt seconds: Int...) -> CrashTracker {
        var tracker = CrashTracker()
        for second in seconds { tracker.died(key, exitCode: second, at: .seconds(second)) }
        return tracker
    }

    @Test func `three deaths within a minute are a loop, two are not`() {
        #expect(!Self.tracker(deathsAt: 0, 10).isLooping(Self.key, at: .seconds(10)))
        #expect(Self.tracker(deathsAt: 0, 10, 20).isLooping(Self.key, at: .seconds(20)))
        #expect(!Self.tracker(deathsAt: 0, 10, 20).isLooping(Self.other, at: .seconds(20)))
    }

    @Test func `a loop ends a minute after its first of three deaths`() {
        let tracker = Self.tracker(deathsAt: 0, 10, 20)
        #expect(tracker.isLooping(Self.key, at: .seconds(59)))
        #expect(!tracker.isLooping(Self.key, at: .seconds(60)))
    }

    @Test func `deaths far apart are no loop however many`() {
        #expect(!Self.tracker(deathsAt: 0, 31, 62, 93, 124).isLooping(Self.key, at: .seconds(124)))
    }

    @Test func `the last three count`() {
        #expect(Self.tracker(deathsAt: 0, 1, 100, 110, 120).isLooping(Self.key, at: .seconds(120)))
    }

    @Test func `a container made anew has no history`() {
        var tracker = Self.tracker(deathsAt: 0, 1, 2)
        #expect(tracker.exitCode(of: Self.key) == 2)
        tracker.forget(Self.key)
        #expect(!tracker.isLooping(Self.key, at: .seconds(2)))
        #expect(tracker.exitCode(of: Self.key) == nil)
    }

    @Test func `an unknown exit status forgets the one before`() {
        var tracker = Self.tracker(deathsAt: 3)
        tracker.died(Self.key, exitCode: nil, at: .seconds(4))
        #expect(tracker.exitCode(of: Self.key) == nil)
    }
}
