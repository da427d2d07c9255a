import JSON
import SupervisorCore

/// The arguments that a request carries in its body.
struct RequestBody: Sendable {
    let members: JSONObject

    /// JSON whatever the content type says, because `curl -d` calls everything a form; what is not JSON and is said to
    /// be a form is read as one. No bytes at all are an empty object.
    init(_ bytes: [UInt8], contentType: String?) throws(SupervisorError) {
        if bytes.isEmpty {
            members = [:]
            return
        }
        let value: JSONValue
        do throws(JSONParseError) {
            value = try JSONValue(parsing: bytes)
        } catch {
            guard Self.isForm(contentType) else {
                throw SupervisorError(.invalidArgument, "The body is not JSON: \(error)")
            }
            members = try Self.form(bytes)
            return
        }
        guard let object = value.objectValue else {
            throw SupervisorError(.invalidArgument, "The body is not a JSON object")
        }
        members = object
    }

    /// `appId`, as a whole number or as a string of digits.
    var appID: AppID {
        get throws(SupervisorError) {
            let member = members["appId"]
            if let number = member?.integerValue, number >= 0 { return AppID(number) }
            switch member {
            case .string(let text):
                guard let id = AppID(digits: text) else { fallthrough }
                return id
            case .some:
                throw SupervisorError(.invalidArgument, "The body's appId is not a number")
            case nil:
                throw SupervisorError(.invalidArgument, "The body has no appId")
            }
        }
    }

    /// Whether the update lock is overridden. Anything but a clear yes is a no.
    var force: Bool {
        switch members["force"] {
        case .bool(let value): value
        case .integer, .double: members["force"]?.integerValue == 1
        case .string(let text): ["1", "true", "on"].contains { ASCIIToken.matches(text.utf8, $0) }
        default: false
        }
    }

    /// Fields of a form; no operation has more than a handful.
    private static let fieldLimit = 1000

    private static func isForm(_ contentType: String?) -> Bool {
        guard let contentType else { return false }
        let mediaType = ASCIIToken.trimmed(contentType[...].utf8.prefix { $0 != UInt8(ascii: ";") })
        return ASCIIToken.matches(mediaType, "application/x-www-form-urlencoded")
    }

    private static func form(_ bytes: [UInt8]) throws(SupervisorError) -> JSONObject {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw SupervisorError(.invalidArgument, "The form is not UTF-8")
        }
        var members: [JSONObject.Member] = []
        for field in FormFields(text[...]) {
            guard members.count < fieldLimit else {
                throw SupervisorError(.invalidArgument, "The form has more than \(fieldLimit) fields")
            }
            guard let name = field.name, let value = field.value else {
                throw SupervisorError(.invalidArgument, "The form is not well encoded")
            }
            members.append(JSONObject.Member(name: name, value: .string(value)))
        }
        guard let object = JSONObject(members) else {
            throw SupervisorError(.invalidArgument, "A field of the form is there twice")
        }
        return object
    }
}
