import SupervisorPluginAPI
import Testing

@testable import SupervisorPluginHost

struct RequestTableTests {
    private static func table(_ calls: (String, Duration)...) -> RequestTable<String> {
        var table = RequestTable<String>()
        for (call, deadline) in calls { _ = table.add(call, operation: "x.\(call)", deadline: deadline) }
        return table
    }

    @Test func `an answer finds its call once, a second one is a fault`() {
        var table = Self.table(("a", .seconds(1)), ("b", .seconds(2)))
        guard case .awaited("b") = table.answer(.number(2)) else { return #expect(Bool(false)) }
        guard case .unexpected = table.answer(.number(2)) else { return #expect(Bool(false)) }
        #expect(table.calls == ["a"])
    }

    @Test func `ids that nobody gave out are faults`() {
        var table = Self.table(("a", .seconds(1)))
        for id in [.number(0), .number(7), .number(-1), .text("1")] as [RequestID] {
            guard case .unexpected = table.answer(id) else { return #expect(Bool(false), "\(id)") }
        }
        #expect(table.count == 1)
    }

    @Test func `a call is told as overdue once, then as silent once, and counts until then`() {
        var table = Self.table(("a", .seconds(1)))
        #expect(table.nextDue == .seconds(1))
        let early = table.expire(at: .milliseconds(999))
        #expect(early.isEmpty)
        guard case .overdue(id: 1, "a")? = table.expire(at: .seconds(1)).first else { return #expect(Bool(false)) }
        #expect(table.count == 1)
        #expect(table.calls == [])
        #expect(table.nextDue == .seconds(3))
        let patient = table.expire(at: .milliseconds(2999))
        #expect(patient.isEmpty)
        guard case .silent(id: 1, operation: "x.a")? = table.expire(at: .seconds(3)).first else {
            return #expect(Bool(false))
        }
        #expect(table.isEmpty)
        #expect(table.nextDue == nil)
    }

    @Test func `the late answer of a call that was given up is expected`() {
        var table = Self.table(("a", .seconds(1)))
        let first = table.giveUp { $0 == "a" }
        let second = table.giveUp { $0 == "a" }
        #expect(first == 1 && second == nil)
        guard case .late = table.answer(.number(1)) else { return #expect(Bool(false)) }
        guard case .unexpected = table.answer(.number(1)) else { return #expect(Bool(false)) }
    }

    @Test func `those who still wait come out in their order`() {
        var table = Self.table(("a", .seconds(9)), ("b", .seconds(1)), ("c", .seconds(5)))
        let id = table.giveUp { $0 == "b" }
        let left = table.removeAll()
        #expect(id == 2 && left == ["a", "c"])
        #expect(table.isEmpty)
    }

    @Test func `ids are never used twice`() {
        var table = Self.table(("a", .seconds(1)))
        table.remove(1)
        let second = table.reserveID()
        let third = table.add("b", operation: "x.b", deadline: .seconds(1))
        #expect(second == 2 && third == 3)
    }

    @Test func `more notifications than the budget are refused, and a second later heard again`() {
        var budget = NotificationBudget()
        for _ in 0..<NotificationBudget.countPerSecond {
            let isWithin = budget.spend(10, at: .seconds(5))
            #expect(isWithin)
        }
        let isOneMore = budget.spend(10, at: .milliseconds(5999))
        let isLater = budget.spend(10, at: .seconds(6))
        let isLarge = budget.spend(NotificationBudget.bytesPerSecond, at: .seconds(6))
        #expect(!isOneMore && isLater && !isLarge)
    }
}
