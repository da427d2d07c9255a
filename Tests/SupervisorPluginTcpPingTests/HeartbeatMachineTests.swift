import SupervisorPluginAPI
import Testing

@testable import supervisor_plugin_tcp_ping

struct HeartbeatMachineTests {
    private var machine = HeartbeatMachine(interval: .seconds(10), isVPNUp: false)

    private mutating func at(_ seconds: Int, _ event: HeartbeatMachine.Event) -> [HeartbeatMachine.Effect] {
        machine.handle(event, at: .seconds(seconds))
    }

    private func told(_ isEnabled: Bool, _ isConnected: Bool?) -> HeartbeatMachine.Effect {
        .notify(TCPPingState(isEnabled: isEnabled, isConnected: isConnected))
    }

    @Test mutating func `nothing is done before it is enabled`() {
        #expect(machine.state == TCPPingState(isEnabled: false, isConnected: nil))
        #expect(machine.nextBegin == nil)
        #expect(at(100, .time) == [])
        #expect(at(101, .disable) == [])
    }

    @Test mutating func `an attempt begins at once and then every interval, from begin to begin`() {
        #expect(at(5, .enable) == [told(true, nil), .begin(attempt: 1)])
        #expect(machine.nextBegin == nil)
        #expect(at(8, .finished(attempt: 1, isConnected: true)) == [told(true, true)])
        #expect(machine.nextBegin == .seconds(15))
        #expect(at(14, .time) == [])
        #expect(at(15, .time) == [.begin(attempt: 2)])
    }

    @Test mutating func `an attempt that takes as long as the interval is followed by the next at once`() {
        _ = at(0, .enable)
        #expect(at(10, .time) == [])
        #expect(at(10, .finished(attempt: 1, isConnected: false)) == [told(true, false), .begin(attempt: 2)])
    }

    @Test mutating func `only changes are told`() {
        _ = at(0, .enable)
        #expect(at(1, .finished(attempt: 1, isConnected: true)) == [told(true, true)])
        #expect(at(2, .enable) == [])
        _ = at(10, .time)
        #expect(at(11, .finished(attempt: 2, isConnected: true)) == [])
        _ = at(20, .time)
        #expect(at(30, .finished(attempt: 3, isConnected: false)) == [told(true, false), .begin(attempt: 4)])
    }

    @Test mutating func `a disabled one gives up what is under way, knows nothing and waits for nothing`() {
        _ = at(0, .enable)
        _ = at(1, .finished(attempt: 1, isConnected: true))
        _ = at(10, .time)
        #expect(at(11, .disable) == [.abandon, told(false, nil)])
        #expect(machine.nextBegin == nil)
        #expect(at(12, .finished(attempt: 2, isConnected: true)) == [])
        #expect(at(13, .enable) == [told(true, nil), .begin(attempt: 3)])
    }

    @Test mutating func `while the VPN is up it is connected, and nothing is tried`() {
        _ = at(0, .enable)
        #expect(at(1, .vpn(isUp: true)) == [.abandon, told(true, true)])
        #expect(machine.nextBegin == nil)
        #expect(at(60, .time) == [])
        #expect(at(61, .vpn(isUp: true)) == [])
        #expect(at(62, .finished(attempt: 1, isConnected: false)) == [])
    }

    @Test mutating func `when the VPN goes down an attempt tells whether it is still connected`() {
        _ = at(0, .enable)
        _ = at(1, .finished(attempt: 1, isConnected: false))
        #expect(at(2, .vpn(isUp: true)) == [told(true, true)])
        #expect(at(3, .vpn(isUp: false)) == [.begin(attempt: 2)])
        #expect(at(4, .finished(attempt: 2, isConnected: false)) == [told(true, false)])
        #expect(machine.nextBegin == .seconds(13))
    }

    @Test mutating func `a disabled one tells of the VPN as well`() {
        #expect(at(1, .vpn(isUp: true)) == [told(false, true)])
        #expect(at(2, .enable) == [told(true, true)])
        #expect(at(3, .disable) == [told(false, true)])
        #expect(at(4, .vpn(isUp: false)) == [told(false, nil)])
    }
}
