import Testing

@testable import supervisor_plugin_led

struct BlinkScheduleTests {
    @Test(arguments: [(0, true), (199, true), (200, false), (399, false), (400, true), (999, true), (14_800, true)])
    func `a LED is on for 200 ms and off for 200 ms`(time: Int, isOn: Bool) {
        #expect(BlinkSchedule(end: .seconds(15)).isOn(.milliseconds(time)) == isOn)
    }

    @Test(arguments: [(0, 200), (1, 200), (199, 200), (200, 400), (14_800, 15_000), (14_999, 15_000)])
    func `the next change is reckoned from the beginning`(time: Int, next: Int) {
        #expect(BlinkSchedule(end: .seconds(15)).next(after: .milliseconds(time)) == .milliseconds(next))
    }

    @Test func `what ends between two changes ends then`() {
        let schedule = BlinkSchedule(end: .milliseconds(500))
        #expect(schedule.next(after: .milliseconds(450)) == .milliseconds(500))
        #expect(!schedule.isOver(.milliseconds(499)))
        #expect(schedule.isOver(.milliseconds(500)))
    }

    @Test func `it is never made to end earlier`() {
        var schedule = BlinkSchedule(end: .seconds(15))
        schedule.extend(to: .seconds(3))
        #expect(schedule.end == .seconds(15))
        schedule.extend(to: .seconds(20))
        #expect(schedule.end == .seconds(20))
    }
}
