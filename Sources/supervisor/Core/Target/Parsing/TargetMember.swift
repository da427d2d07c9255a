import JSON
import LinuxSupport

/// A value of a target state together with its path, so that an error can say where it is.
struct TargetMember {
    let json: JSONValue
    let path: String

    init(_ json: JSONValue, _ path: String) {
        self.json = json
        self.path = path
    }

    func wrong(_ expected: String) -> TargetError {
        let found =
            switch json {
            case .null: "null"
            case .bool: "a boolean"
            case .integer, .double: "a number"
            case .string: "a string"
            case .array: "a list"
            case .object: "an object"
            }
        return TargetError(place: path.isEmpty ? "the document" : path, reason: "expected \(expected), found \(found)")
    }

    func object() throws(TargetError) -> TargetObject {
        guard case .object(let value) = json else { throw wrong("an object") }
        return TargetObject(json: value, path: path)
    }

    /// An object; null is an empty one.
    func objectOrNull() throws(TargetError) -> TargetObject {
        if json.isNull { return TargetObject(json: [:], path: path) }
        return try object()
    }

    func list() throws(TargetError) -> [TargetMember] {
        guard case .array(let values) = json else { throw wrong("a list") }
        return values.enumerated().map { TargetMember($1, "\(path).\($0)") }
    }

    func string() throws(TargetError) -> String {
        guard case .string(let value) = json else { throw wrong("a string") }
        guard !value.utf8.contains(0) else { throw TargetError(place: path, reason: "a string that contains NUL") }
        return value
    }

    /// A string, or a whole number as text.
    func text() throws(TargetError) -> String {
        if let value = json.integerValue { return String(value) }
        guard case .string = json else { throw wrong("a string or a whole number") }
        return try string()
    }

    /// A string, number or boolean as text: what an environment variable can hold. null is the empty string.
    func scalar() throws(TargetError) -> String {
        switch json {
        case .string: try string()
        case .integer, .double, .bool: json.text
        case .null: ""
        case .array, .object: throw wrong("a string")
        }
    }

    func bool() throws(TargetError) -> Bool {
        guard case .bool(let value) = json else { throw wrong("true or false") }
        return value
    }

    func strings() throws(TargetError) -> [String] {
        var result: [String] = []
        for member in try list() { result.append(try member.scalar()) }
        return result
    }

    func stringOrStrings() throws(TargetError) -> [String] {
        if case .string = json { return [try string()] }
        return try strings()
    }

    func stringMap() throws(TargetError) -> [String: String] {
        var result: [String: String] = [:]
        for (name, member) in try object().members {
            try member.checkKey(name)
            guard result.updateValue(try member.scalar(), forKey: name) == nil else {
                throw TargetError(
                    place: member.path,
                    reason: "another name differs from it only in how its characters are composed"
                )
            }
        }
        return result
    }

    /// Names by which we look something up have a bearable size.
    private func checkKey(_ name: String) throws(TargetError) {
        let limit = name.utf8.allSatisfy { $0 < 0x80 } ? 1024 : 64
        guard name.utf8.count <= limit else {
            throw TargetError(
                place: path,
                reason:
                    "the name has \(name.utf8.count) bytes; a name may have 1024, one with characters outside ASCII 64"
            )
        }
    }

    func shortString() throws(TargetError) -> String {
        guard case .string = json else { throw wrong("a string") }
        let value = try shortText()
        guard !value.utf8.contains(0) else { throw TargetError(place: path, reason: "a string that contains NUL") }
        return value
    }

    /// A string of at most 255 bytes; names and versions, which are kept, compared and shown in many places.
    func shortText() throws(TargetError) -> String {
        let value = try text()
        guard value.utf8.count <= 255 else {
            throw TargetError(place: path, reason: "it has \(value.utf8.count) bytes; 255 are allowed")
        }
        return value
    }

    /// Variables of an environment: a name is not empty and has no `=` and no NUL.
    func environment() throws(TargetError) -> [String: String] {
        let result = try stringMap()
        for name in result.keys where name.isEmpty || name.utf8.contains(where: { $0 == UInt8(ascii: "=") || $0 == 0 })
        {
            throw TargetError(place: path, reason: "a variable's name must not be empty or contain =")
        }
        return result
    }

    /// A name that is safe as a directory's, and at the start of a container's name: the engine takes
    /// `[a-zA-Z0-9][a-zA-Z0-9_.-]+`.
    func name() throws(TargetError) -> String {
        let value = try string()
        guard Self.isName(value) else {
            throw TargetError(
                place: path,
                reason: "a name must have 1 to 63 letters, digits, _ - and . and must start with a letter or a digit"
            )
        }
        return value
    }

    /// Whether it is a name as `name()` takes it; those in labels come from anywhere.
    static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= 63, !".-_".utf8.contains(first) else { return false }
        return text.utf8.allSatisfy { $0.isASCIILetter || $0.isASCIIDigit || "_-.".utf8.contains($0) }
    }

    func imageReference() throws(TargetError) -> String {
        let value = try string()
        guard !value.isEmpty, value.utf8.count <= 512, value.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw TargetError(
                place: path,
                reason: "an image's name must not be empty or contain spaces or non-ASCII characters"
            )
        }
        return value
    }
}
