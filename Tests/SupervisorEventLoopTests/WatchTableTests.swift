import CLinux
import SupervisorPorts
import Testing

@testable import SupervisorEventLoop

struct WatchTableTests {
    @Test func `an overflow concerns every watch, with no name`() {
        var table = WatchTable()
        let tokens = [table.add(to: 1) { _ in }, table.add(to: 2) { _ in }, table.add(to: 1) { _ in }]
        let concerned = table.concerned(by: .overflow)
        #expect(concerned.watches == tokens)
        #expect(concerned.name == nil)
    }

    @Test func `a descriptor is given back with its last watch only`() {
        var table = WatchTable()
        let first = table.add(to: 7) { _ in }
        let second = table.add(to: 7) { _ in }
        #expect(table.remove(first) == nil)
        #expect(table.remove(first) == nil)
        #expect(table.remove(second) == 7)
    }

    @Test func `a descriptor that the kernel dropped is not given back`() {
        var table = WatchTable()
        let token = table.add(to: 7) { _ in }
        table.forgetEnded(by: InotifyEvent(watch: 7, mask: UInt32(IN_IGNORED)))
        #expect(table.callback(of: token) == nil)
        #expect(table.remove(token) == nil)
    }

    @Test func `an event of a descriptor that nobody watches concerns nobody`() {
        var table = WatchTable()
        _ = table.add(to: 1) { _ in }
        #expect(table.concerned(by: InotifyEvent(watch: 2, mask: UInt32(IN_CREATE), name: "a")).watches.isEmpty)
    }
}
