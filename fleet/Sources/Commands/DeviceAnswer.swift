import Foundation
import JSON

/// What a device has answered, as far as it can be passed on.
struct DeviceAnswer: Sendable {
    enum Body: Sendable {
        case none
        case json(JSONValue)
        case text(String)
    }

    /// Limit on the encoded answer, in bytes.
    static let sizeLimit = 384 << 10

    var status: Int
    var body: Body

    static let bad = DeviceAnswer(
        status: 500,
        body: .json(["error": "Bad API response from supervisor"])
    )

    static func failure(_ status: Int, _ reason: String) -> DeviceAnswer {
        DeviceAnswer(status: status, body: .json(["error": .string(reason)]))
    }

    /// Reads a reply of the device `{"id","status","contentType"?,"body"}` (or `bodyBase64`).
    init(reply bytes: [UInt8], of id: String) {
        guard bytes.count <= Self.sizeLimit else {
            self = .failure(502, "the device's answer is larger than \(Self.sizeLimit) bytes")
            return
        }
        guard let value = try? JSONValue(parsing: bytes), value["id"]?.plainValue == id,
            let status = value["status"]?.integerValue, (200...599).contains(status)
        else {
            self = .bad
            return
        }
        let content: [UInt8]
        if let text = value["body"]?.stringValue {
            content = Array(text.utf8)
        } else if let text = value["bodyBase64"]?.stringValue, let data = Data(base64Encoded: text) {
            content = Array(data)
        } else if value["body"] == nil, value["bodyBase64"] == nil {
            content = []
        } else {
            self = .bad
            return
        }
        self.init(status: Int(status), contentType: value["contentType"]?.plainValue, content: content)
    }

    init(status: Int, body: Body) {
        self.status = status
        self.body = body
    }

    /// What passes: JSON, which is written again, and plain texts of a small alphabet.
    private init(status: Int, contentType: String?, content: [UInt8]) {
        let type = contentType?.split(separator: ";", omittingEmptySubsequences: false).first.map { part in
            part.lowercased().trimmingCharacters(in: .whitespaces)
        }
        switch type {
        case nil, "":
            self = content.isEmpty ? DeviceAnswer(status: status, body: .none) : .bad
        case "application/json":
            guard let value = try? JSONValue(parsing: content) else {
                self = .bad
                return
            }
            self.init(status: status, body: .json(value))
        case "text/plain", "text/html":
            guard content.allSatisfy(Self.isHarmless) else {
                self = .bad
                return
            }
            self.init(status: status, body: .text(String(decoding: content, as: UTF8.self)))
        default:
            self = .bad
        }
    }

    /// `[A-Za-z0-9\s:'.?!,/-]`
    private static func isHarmless(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
            || (0x09...0x0D).contains(byte) || " :'.?!,/-".utf8.contains(byte)
    }

    /// The body in an array of several answers: JSON where it is JSON, else a text.
    var value: JSONValue {
        switch body {
        case .none: ""
        case .json(let value): value
        case .text(let text): (try? JSONValue(parsing: text)) ?? .string(text)
        }
    }
}
