import HostOperations
import JSON

/// The TCP heartbeat: what the user chose, and what its plugin says.
struct Heartbeat {
    private(set) var isEnabled: Bool
    /// As last reported; nil while nothing reports it.
    private var state: TCPPingState?
    /// How often it was reported without being asked for.
    private(set) var notificationCount = 0
    /// The choice is made and passed on by one caller at a time.
    let line = WaitingLine()

    init(isEnabled: Bool) {
        self.isEnabled = isEnabled
    }

    mutating func choose(_ isEnabled: Bool) { self.isEnabled = isEnabled }

    mutating func notified() { notificationCount += 1 }

    /// Returns whether the heartbeat is answered where that has changed.
    mutating func set(_ state: TCPPingState) -> Bool? {
        defer { self.state = state }
        guard let isConnected = state.isConnected, isConnected != self.state?.isConnected else { return nil }
        return isConnected
    }

    /// The plugin is gone.
    mutating func forget() { state = nil }

    /// null where no plugin reports it. `connected` is null while it is switched off and while it is not known.
    func json(isProvided: Bool) -> JSONValue {
        guard isProvided else { return .null }
        let isConnected = isEnabled ? state?.isConnected : nil
        return [
            "enabled": .bool(isEnabled),
            "connected": isConnected.map(JSONValue.bool) ?? .null,
        ]
    }
}
