import HostOperations
import JSON
import Testing

@testable import SupervisorCore

struct HeartbeatTests {
    @Test func `a change of the connection is news`() {
        var heartbeat = Heartbeat(isEnabled: true)
        #expect(heartbeat.set(TCPPingState(isEnabled: true, isConnected: nil)) == nil)
        #expect(heartbeat.set(TCPPingState(isEnabled: true, isConnected: true)) == true)
        #expect(heartbeat.set(TCPPingState(isEnabled: true, isConnected: true)) == nil)
        #expect(heartbeat.set(TCPPingState(isEnabled: true, isConnected: false)) == false)
        heartbeat.forget()
        #expect(heartbeat.set(TCPPingState(isEnabled: true, isConnected: false)) == false)
    }

    @Test func `the connection is shown while it is known and wanted`() {
        var heartbeat = Heartbeat(isEnabled: true)
        #expect(heartbeat.json(isProvided: false) == .null)
        #expect(heartbeat.json(isProvided: true).text == #"{"enabled":true,"connected":null}"#)
        _ = heartbeat.set(TCPPingState(isEnabled: true, isConnected: true))
        #expect(heartbeat.json(isProvided: true).text == #"{"enabled":true,"connected":true}"#)
        heartbeat.choose(false)
        #expect(heartbeat.json(isProvided: true).text == #"{"enabled":false,"connected":null}"#)
    }
}
