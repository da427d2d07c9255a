import Testing

@testable import SupervisorCore

struct DiskWatchTests {
    @Test func `the time that the disk has been silent counts for later reads`() {
        var disk = DiskWatch()
        #expect(disk.limit(within: .seconds(30), at: .seconds(100)) == .seconds(30))
        #expect(disk.fellSilent(since: .seconds(100)) == true)
        #expect(disk.fellSilent(since: .seconds(110)) == false, "known already")
        #expect(disk.limit(within: .seconds(30), at: .seconds(128)) == .seconds(2))
        #expect(disk.limit(within: .seconds(30), at: .seconds(130)) == nil)
        #expect(disk.limit(within: .seconds(5), at: .seconds(128)) == nil)
    }

    @Test func `silence is an ailment after its time, until the disk answers`() {
        var disk = DiskWatch()
        #expect(disk.answered() == nil)
        _ = disk.fellSilent(since: .seconds(100))
        #expect(disk.ailment(at: .seconds(129)) == nil)
        #expect(disk.ailment(at: .seconds(130)) == "The disk has not answered for 30 s")
        #expect(disk.answered() == .seconds(100))
        #expect(disk.ailment(at: .seconds(200)) == nil)
        #expect(disk.limit(within: .seconds(5), at: .seconds(200)) == .seconds(5))
    }
}
