/// The fields of a query or of an application/x-www-form-urlencoded body, in their order and still encoded.
struct FormFields: Sequence, IteratorProtocol {
    struct Field {
        var encodedName: Substring.UTF8View
        /// Empty where there is no "=".
        var encodedValue: Substring.UTF8View

        /// nil where it is not well encoded.
        var value: String? { String(percentDecoding: encodedValue, plusIsSpace: true) }

        var name: String? { String(percentDecoding: encodedName, plusIsSpace: true) }

        /// Whether the decoded name is exactly `name`.
        func isNamed(_ name: String) -> Bool {
            let isPlain = !encodedName.contains { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }
            return isPlain ? encodedName.elementsEqual(name.utf8) : self.name == name
        }
    }

    private var rest: Substring.UTF8View

    init(_ encoded: Substring) {
        rest = encoded.utf8
    }

    mutating func next() -> Field? {
        while let first = rest.first {
            guard first != UInt8(ascii: "&") else {
                rest = rest.dropFirst()
                continue
            }
            let field = rest.prefix { $0 != UInt8(ascii: "&") }
            rest = rest[field.endIndex...]
            let name = field.prefix { $0 != UInt8(ascii: "=") }
            return Field(encodedName: name, encodedValue: field[name.endIndex...].dropFirst())
        }
        return nil
    }
}
