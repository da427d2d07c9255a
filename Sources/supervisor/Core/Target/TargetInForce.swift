import JSON
import SupervisorPorts

/// The target that the device follows: of each application the last good one, whatever has become of its file since.
struct TargetInForce: Sendable {
    /// nil while no target was ever seen: then containers that are there stay as they are.
    private(set) var state: TargetState?
    /// Of each application the definition that is in effect, as far as it came from a file.
    private(set) var json: JSONValue?
    /// Where the target file is wrong; what is wrong there stays as it was.
    private(set) var error: String?
    /// Whether the target file can be used at all.
    private var fileIsWrong = false
    /// The applications that the target file defines, but not in a way that can be used.
    private var rejected: Set<AppID> = []
    /// Whether the target file has an application whose id cannot be read: it may be any that the file does not name.
    private var hasUnknownApp = false
    /// The fingerprint of the target file as it was read last; nil where it has to be read again.
    var reading: String?
    /// Of the target file's directory.
    private var watch: WatchToken?

    /// - Parameter kept: the target as it was saved; nil where none was.
    init(kept json: JSONValue?) {
        self.json = json
        if let json {
            var parser = TargetParser()
            state = try? parser.parse(json)
            note(parser.rejections)
        }
    }

    private mutating func note(_ rejections: [TargetRejection]) {
        rejected = Set(rejections.compactMap(\.app))
        hasUnknownApp = rejections.contains { $0.app == nil }
    }

    /// The target file can be used. An application in it that is wrong keeps its former target.
    ///
    /// Returns what is to be kept for the next start; nil where that is the same as before.
    mutating func accept(_ target: TargetState, _ json: JSONValue, _ rejections: [TargetRejection] = []) -> JSONValue? {
        note(rejections)
        fileIsWrong = false
        if rejections.isEmpty { error = nil }
        var merged = target
        var kept = json
        if !rejections.isEmpty {
            let stay = state?.apps.filter { keepsFormerTarget($0.id, in: target) } ?? []
            merged.apps = (merged.apps + stay).sorted { $0.id < $1.id }
            kept = json.withApps(of: Set(target.apps.map(\.id)), andFrom: self.json, Set(stay.map(\.id)))
        }
        state = merged
        guard kept.encoded() != self.json?.encoded() else { return nil }
        self.json = kept
        return kept
    }

    /// Whether an application that cannot be read from the file has to stay as it is.
    private func keepsFormerTarget(_ app: AppID, in target: TargetState) -> Bool {
        rejected.contains(app) || hasUnknownApp && target[app] == nil
    }

    /// Whether nothing may be done to an application: its target cannot be read, and there is no former one.
    func isUnknown(_ app: AppID) -> Bool {
        (rejected.contains(app) || hasUnknownApp) && state?[app] == nil
    }

    /// The target file cannot be used, or a part of it, or, with nil, there was none yet. Returns whether that has to be
    /// reported.
    mutating func refuse(_ message: String?, wholeFile: Bool = true) -> Bool {
        fileIsWrong = wholeFile && message != nil
        defer { error = message }
        return message != nil && message != error
    }

    /// The target of applications is lost: what runs says what should.
    mutating func recover(_ target: TargetState) {
        guard let state else {
            self.state = target
            return
        }
        let apps = target.apps.filter { isUnknown($0.id) }
        self.state?.apps = (state.apps + apps).sorted { $0.id < $1.id }
    }

    /// Returns the watch before it, which is to be ended.
    mutating func replaceWatch(_ token: WatchToken?) -> WatchToken? {
        defer { watch = token }
        return watch
    }

    // MARK: Questions

    /// The target where it is known of every application: what is not in it may be removed.
    var confirmed: TargetState? {
        guard !fileIsWrong, !hasUnknownApp, let state, rejected.isSubset(of: state.apps.map(\.id)) else { return nil }
        return state
    }

    /// Whether the update lock of an application is switched off by a variable: of the device, or of one of its services.
    func isOverridden(_ app: AppID) -> Bool {
        func isOn(_ variables: [String: String]) -> Bool {
            ["RESIN_SUPERVISOR_OVERRIDE_LOCK", "BALENA_SUPERVISOR_OVERRIDE_LOCK"].contains { name in
                guard let value = variables[name], value.isKeyword else { return false }
                return ["1", "true", "on", "yes"].contains(value.lowercased())
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

extension JSONValue {
    /// A target document with these applications of its own, and with others from a former document.
    fileprivate func withApps(of own: Set<AppID>, andFrom former: JSONValue?, _ others: Set<AppID>) -> JSONValue {
        var apps = targetApps.filter { $0.id.map(own.contains) == true }
        apps += former?.targetApps.filter { $0.id.map(others.contains) == true } ?? []
        var document = targetRoot
        let members = apps.map { JSONObject.Member(name: $0.id?.description ?? "", value: $0.value) }
        document["apps"] = .object(JSONObject(members) ?? [:])
        return .object(document)
    }

    /// The whole device state document is accepted as well as its `local` object.
    private var targetRoot: JSONObject {
        let document = objectValue ?? [:]
        guard document["apps"]?.isNull ?? true else { return document }
        return document["local"]?.objectValue ?? document
    }

    private var targetApps: [(id: AppID?, value: JSONValue)] {
        targetRoot["apps"]?.objectValue?.map { (AppID(digits: $0.name), $0.value) } ?? []
    }
}
