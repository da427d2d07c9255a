import JSON

/// The body of `POST /supervisor/<url>`.
struct ProxyRequest: Sendable {
    /// What is answered with 400. `message` nil: with an empty body.
    struct Refusal: Error, Sendable, Hashable {
        var message: String?
    }

    static let methods = ["PUT", "PATCH", "POST", "HEAD", "DELETE", "GET"]

    var uuid: String?
    var deviceID: Int64?
    var applicationID: Int64?
    var method = "POST"
    /// The text of the body for the device.
    var data: String?

    /// Unknown members are ignored.
    init(parsing bytes: [UInt8]) throws(Refusal) {
        var members = JSONObject()
        if !bytes.isEmpty {
            let value: JSONValue
            do { value = try JSONValue(parsing: bytes) } catch { throw Refusal() }
            guard case .object(let object) = value else { throw Refusal() }
            members = object
        }
        switch members["uuid"] {
        case nil, .null: break
        case .string(let text) where !text.isEmpty: uuid = text
        default: throw Refusal()
        }
        deviceID = try Self.identifier(members["deviceId"], "Device ID")
        applicationID = try Self.identifier(members["appId"], "App ID")
        switch members["method"] {
        case nil: break
        case .string(let text):
            guard text.utf8.count <= 6, Self.methods.contains(text.uppercased()) else { throw Refusal() }
            method = text.uppercased()
        default: throw Refusal()
        }
        switch members["data"] {
        case nil: break
        case .object(let object): data = JSONValue.object(object).text
        default: throw Refusal()
        }
        guard uuid != nil || deviceID != nil || applicationID != nil else {
            throw Refusal(message: "At least one filter must be specified")
        }
    }

    /// A whole number, or its digits in a string.
    private static func identifier(_ value: JSONValue?, _ name: String) throws(Refusal) -> Int64? {
        switch value {
        case nil, .null: return nil
        case .integer, .double:
            if let number = value?.integerValue { return number }
        case .string(let text):
            let digits = text.utf8.first == UInt8(ascii: "-") ? text.utf8.dropFirst() : text.utf8[...]
            if !digits.isEmpty, digits.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int64(text) {
                return number
            }
        default: throw Refusal()
        }
        throw Refusal(message: "\(name) must be a valid integer if specified")
    }
}
