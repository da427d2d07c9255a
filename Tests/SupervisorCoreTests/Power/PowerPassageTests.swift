import JSON
import Testing

@testable import SupervisorCore

struct PowerPassageTests {
    @Test func `the request of the first caller names what is logged until the gate is open`() async {
        var power = PowerPassage()
        let outcome: SupervisorError? = await withCheckedContinuation { continuation in
            let caller = power.add(continuation, requestID: "r1")
            _ = power.handle(.request(.reboot, caller: caller, force: false), at: .zero)
            power.answer([caller], .stopping)
        }
        #expect(outcome == .stopping)
        let second: SupervisorError? = await withCheckedContinuation { continuation in
            power.answer([power.add(continuation, requestID: "r2")], nil)
        }
        #expect(second == nil)
        #expect(power.isClosed)
        #expect(power.requestID == "r1")
        #expect(power.json(at: .seconds(3)).text == #"{"kind":"reboot","phase":"waiting","sinceSec":3}"#)
        power.reset()
        #expect(power.metadata.isEmpty)
    }

    @Test func `gates are left once`() {
        var power = PowerPassage()
        power.enter(AppID(1))
        power.enter(AppID(2))
        #expect(power.entered == [AppID(1), AppID(2)])
        #expect(power.leaveAll() == [AppID(1), AppID(2)])
        #expect(power.leaveAll() == [])
        #expect(power.json(at: .zero) == .null)
    }
}
