import SupervisorPluginAPI

/// A response, right or wrong.
struct Answer {
    let id: RequestID
    let behaviour: Behaviour
    let result: JSONValue

    init(id: RequestID, _ behaviour: Behaviour, result: JSONValue) {
        self.id = id
        self.behaviour = behaviour
        self.result = result
    }

    /// With its line feed.
    var line: [UInt8] {
        var object = frame.json.objectValue ?? [:]
        if behaviour.has("wrongID") { object["id"] = 987_654_321 }
        if behaviour.has("textID") { object["id"] = .string(id.description) }
        if behaviour.has("noVersion") { object["jsonrpc"] = nil }
        if behaviour.has("neither") {
            object["result"] = nil
            object["error"] = nil
        }
        if behaviour.has("both") {
            object["result"] = object["result"] ?? [:]
            object["error"] = object["error"] ?? ["code": -32603, "message": "both"]
        }
        if behaviour.has("oversize") {
            let size = behaviour.integer("oversize").map(Int.init) ?? PluginProtocol.maximumFrameSize + 1
            object["padding"] = ""
            let missing = max(0, size - JSONValue.object(object).encoded().count)
            object["padding"] = .string(String(repeating: "x", count: missing))
        }
        return JSONValue.object(object).encoded() + [UInt8(ascii: "\n")]
    }

    private var frame: Frame {
        guard let error = behaviour.json["error"] else { return .result(id: id, result) }
        let message = error["message"]?.stringValue ?? "the script requests a failure"
        if let code = error["code"]?.integerValue {
            return .failure(id: id, PluginError(code: .init(rawValue: code), message))
        }
        let reason = PluginError.Reason(rawValue: error["reason"]?.stringValue ?? "failed")
        return .failure(
            id: id,
            PluginError(
                reason,
                message,
                isRetryable: error["retryable"]?.boolValue,
                detail: error["detail"]?.stringValue,
                source: error["source"]?.stringValue
            )
        )
    }
}
