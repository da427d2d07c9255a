import JSON
import LinuxSupport
import NIOHTTP1
import UnixHTTP

/// What the device answers to a command.
struct CommandAnswer: Sendable {
    /// The encoded message.
    var bytes: [UInt8]

    /// Bytes of an encoded answer.
    static let sizeLimit = 384 << 10

    /// An answer of the supervisor. One that is too large becomes a 502 that says so.
    static func response(_ id: String, _ response: UnixHTTPResponse) -> CommandAnswer {
        var json: JSONObject = ["id": .string(id), "status": .integer(Int64(response.status))]
        if !response.body.isEmpty, let type = response.headers.first(name: "Content-Type") {
            json["contentType"] = .string(type.cut(toBytes: 128))
        }
        if let text = String(validating: response.body, as: UTF8.self) {
            json["body"] = .string(text)
        } else {
            json["bodyBase64"] = .string(Base64.encode(response.body))
        }
        let encoded = JSONValue.object(json).encoded()
        guard encoded.count <= sizeLimit else {
            return refusal(
                CommandRefusal(id, 502, "the answer of the supervisor is larger than \(sizeLimit >> 10) kB")
            )
        }
        return CommandAnswer(bytes: encoded)
    }

    static func refusal(_ refusal: CommandRefusal) -> CommandAnswer {
        let json: JSONValue = [
            "id": refusal.id.map(JSONValue.string) ?? .null, "status": .integer(Int64(refusal.status)),
            "contentType": "application/json",
            "body": .string((["error": .string(refusal.text)] as JSONValue).text),
        ]
        return CommandAnswer(bytes: json.encoded())
    }
}
