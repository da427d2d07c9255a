import SupervisorPluginAPI

/// One element of a script's list; `Help.text` says what each member does.
struct Behaviour {
    let json: JSONObject

    static let good = Behaviour(json: [:])

    init(json: JSONObject) {
        self.json = json
    }

    /// Whether a member is there and not false.
    func has(_ name: String) -> Bool {
        switch json[name] {
        case nil, .null?, .bool(false)?: false
        default: true
        }
    }

    func integer(_ name: String) -> Int64? { json[name]?.integerValue }
    func text(_ name: String) -> String? { json[name]?.stringValue }

    /// Milliseconds until the answer; nil for at once.
    var delay: Int64? { integer("slow") ?? integer("late") }

    /// Whether no timer answers the call.
    var waitsForever: Bool { has("hang") || has("wait") }

    var ignoresCancel: Bool { has("ignoreCancel") || has("late") || has("hang") }
}
