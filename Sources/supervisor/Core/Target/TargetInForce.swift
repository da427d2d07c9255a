import JSON
import SupervisorPorts

/// The target that the device follows: the last good one, whatever has become of its file since.
struct TargetInForce: Sendable {
    /// nil while no target was ever seen: then containers that are there stay as they are.
    private(set) var state: TargetState?
    private var json: JSONValue?
    /// Where the target file is wrong; the last good target stays in effect then.
    private(set) var error: String?
    /// Of the target file's directory.
    private var watch: WatchToken?

    /// - Parameter kept: the target as it was saved; nil where none was.
    init(kept json: JSONValue?) {
        self.json = json
        if let json {
            var parser = TargetParser()
            state = try? parser.parse(json)
        }
    }

    /// The target file is good. Returns whether it says something else than before.
    mutating func accept(_ target: TargetState, _ json: JSONValue) -> Bool {
        error = nil
        guard json != self.json else { return false }
        state = target
        self.json = json
        return true
    }

    /// The target file cannot be used, or, with nil, there was none yet. Returns whether that has to be reported.
    mutating func refuse(_ message: String?) -> Bool {
        defer { error = message }
        return message != nil && message != error
    }

    /// Every file of the target is lost: what runs says what should.
    mutating func recover(_ target: TargetState) {
        state = target
    }

    /// Returns the watch before it, which is to be ended.
    mutating func replaceWatch(_ token: WatchToken?) -> WatchToken? {
        defer { watch = token }
        return watch
    }

    // MARK: Questions

    /// The target where its file is good: what is not in it may be removed.
    var confirmed: TargetState? { error == nil ? state : nil }

    /// Whether the update lock of an application is switched off by a variable: of the device, or of one of its services.
    func isOverridden(_ app: AppID) -> Bool {
        func isOn(_ variables: [String: String]) -> Bool {
            ["RESIN_SUPERVISOR_OVERRIDE_LOCK", "BALENA_SUPERVISOR_OVERRIDE_LOCK"].contains { name in
                ["1", "true", "on", "yes"].contains(variables[name]?.lowercased())
            }
        }
        guard let state else { return false }
        return isOn(state.config) || state[app]?.services.contains { isOn($0.environment) } == true
    }

    /// Whether a service of the target runs this image.
    func isWanted(_ image: String) -> Bool {
        state?.apps.contains { $0.services.contains { $0.image == image } } == true
    }

    /// The longest time that stopping a container of the application may take.
    func stopTimeout(_ app: AppID) -> Duration {
        let periods = state?[app]?.services.map { $0.composition.stopGracePeriod ?? 10 } ?? []
        return .seconds(periods.max() ?? 10)
    }
}
