import LinuxSupport

/// One line of the plugin protocol: a message of JSON-RPC 2.0 without batches, whose params are an object.
public enum Frame: Sendable, Hashable {
    case request(id: RequestID, method: String, parameters: JSONObject)
    case notification(method: String, parameters: JSONObject)
    case result(id: RequestID, JSONValue)
    /// `id` is nil where the request could not be read.
    case failure(id: RequestID?, PluginError)

    /// Reads a line without its line feed.
    ///
    /// Unknown members are ignored. Absent `params` are an empty object.
    public init(parsing line: some Sequence<UInt8>) throws(FrameError) {
        let json: JSONValue
        do throws(JSONParseError) {
            json = try JSONValue(parsing: line, limits: .init(size: PluginProtocol.maximumFrameSize))
        } catch {
            throw FrameError(.parse, "not JSON: \(error)")
        }
        guard let object = json.objectValue else { throw FrameError(.invalid, "not an object") }
        let id: RequestID?
        switch object["id"] {
        case nil, .null?: id = nil
        case let given?:
            guard let known = RequestID(given) else {
                throw FrameError(.invalid, "id is neither a number nor a string of at most \(RequestID.limit) bytes")
            }
            id = known
        }
        guard object["jsonrpc"]?.plainValue == "2.0" else {
            throw FrameError(.invalid, "jsonrpc is not \"2.0\"", id: id)
        }
        if let member = object["method"] {
            guard let method = member.stringValue, method.isPrintableASCII(upTo: .max) else {
                throw FrameError(.invalid, "method is not a string of printable ASCII", id: id)
            }
            self = try Self.call(method, id, object)
        } else {
            self = try Self.response(id, object)
        }
    }

    private static func call(_ method: String, _ id: RequestID?, _ object: JSONObject) throws(FrameError) -> Frame {
        let parameters = object["params"] ?? [:]
        guard let parameters = parameters.objectValue else {
            throw FrameError(.invalid, "params is not an object", id: id)
        }
        if let id { return .request(id: id, method: method, parameters: parameters) }
        guard object["id"] == nil else { throw FrameError(.invalid, "the id of a request must not be null") }
        return .notification(method: method, parameters: parameters)
    }

    private static func response(_ id: RequestID?, _ object: JSONObject) throws(FrameError) -> Frame {
        switch (object["result"], object["error"]) {
        case (let result?, nil):
            guard let id else { throw FrameError(.invalid, "a result without an id") }
            return .result(id: id, result)
        case (nil, let error?):
            guard let error = PluginError(json: error) else {
                throw FrameError(.invalid, "error is not an object with an integer code and a message", id: id)
            }
            return .failure(id: id, error)
        default:
            throw FrameError(.invalid, "has no method, and not exactly one of result and error", id: id)
        }
    }

    public var json: JSONValue {
        switch self {
        case .request(let id, let method, let parameters):
            ["jsonrpc": "2.0", "id": id.json, "method": .string(method), "params": .object(parameters)]
        case .notification(let method, let parameters):
            ["jsonrpc": "2.0", "method": .string(method), "params": .object(parameters)]
        case .result(let id, let value):
            ["jsonrpc": "2.0", "id": id.json, "result": value]
        case .failure(let id, let error):
            ["jsonrpc": "2.0", "id": id?.json ?? .null, "error": error.json]
        }
    }

    /// The line with its line feed.
    public func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        json.encode(into: &bytes)
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }
}
