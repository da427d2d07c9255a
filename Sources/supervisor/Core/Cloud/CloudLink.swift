import HostOperations
import JSON

/// The remote service, as the uplink reports it.
struct CloudLink {
    /// nil while no uplink is connected.
    private(set) var state: UplinkState?

    /// Whether the target in effect was handed over by the uplink.
    private(set) var isSource = false

    /// As the uplink took it last.
    private var lastReport: JSONObject?
    /// Waits until a report is due.
    private var reporting: Task<Void, Never>?

    /// Whether a report is to come.
    var awaitsReport: Bool { reporting != nil }

    mutating func awaitReport(_ task: Task<Void, Never>) { reporting = task }

    mutating func reportBegins() { reporting = nil }

    /// No further report.
    mutating func stop() {
        reporting?.cancel()
        reporting = nil
    }

    func isNews(_ report: JSONObject) -> Bool { lastReport != report }

    mutating func reported(_ report: JSONObject) { lastReport = report }

    /// Another uplink knows nothing yet.
    mutating func forgetReport() { lastReport = nil }

    /// Returns whether that is news.
    mutating func setSource(isCloud: Bool) -> Bool {
        defer { isSource = isCloud }
        return isSource != isCloud
    }

    /// Whether the service can be asked for the target.
    var canRefresh: Bool { state?.isRegistered == true && state?.isDisconnected == false }

    /// Returns whether it differs from before.
    mutating func set(_ state: UplinkState) -> Bool {
        defer { self.state = state }
        return self.state != state
    }

    /// The uplink is gone.
    mutating func forget() { state = nil }

    /// null where there is no uplink, or none has connected.
    func json(isProvided: Bool) -> JSONValue {
        guard isProvided, let state else { return .null }
        return .object(state.json)
    }
}
