import Testing

@testable import SupervisorCore

struct CrashWatchTests {
    private static let key = ServiceKey(app: AppID(1), service: "main")

    private static func looping() -> CrashWatch {
        var watch = CrashWatch()
        for second in 1...3 { _ = watch.died(key, exitCode: 1, at: .seconds(second)) }
        return watch
    }

    @Test func `the last lines are asked for again when they are old, and when the loop is over`() {
        var watch = Self.looping()
        #expect(watch.beginReadingLines(of: Self.key, at: .seconds(3)) == true)
        #expect(watch.beginReadingLines(of: Self.key, at: .seconds(32)) == false)
        #expect(watch.beginReadingLines(of: Self.key, at: .seconds(33)) == true)
        #expect(watch.forget(Self.key) == true)
        #expect(watch.beginReadingLines(of: Self.key, at: .seconds(34)) == true)
    }

    @Test func `a check is armed once, for the end of the next loop`() {
        var watch = Self.looping()
        #expect(watch.waitForCheck(at: .seconds(3)) == nil, "nothing runs that could stay up")
        watch.started(Self.key, at: .seconds(4))
        #expect(watch.waitForCheck(at: .seconds(10)) == .seconds(54))
        #expect(watch.waitForCheck(at: .seconds(90)) == .zero)
        watch.arm(Task {})
        #expect(watch.waitForCheck(at: .seconds(10)) == nil)
        #expect(watch.check(at: .seconds(63)) == [])
        #expect(watch.waitForCheck(at: .seconds(63)) == .seconds(1))
        #expect(watch.check(at: .seconds(64)) == [Self.key])
        #expect(!watch.isLooping(Self.key, at: .seconds(64)))
    }
}
