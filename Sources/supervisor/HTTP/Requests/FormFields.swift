import LinuxSupport

/// The fields of a query or of an application/x-www-form-urlencoded body, in their order and still encoded.
struct FormFields: Sequence, IteratorProtocol {
    struct Field {
        var encodedName: Substring.UTF8View
        /// Empty where there is no "=".
        var encodedValue: Substring.UTF8View

        /// nil where it is not well encoded.
        var value: String? { Self.decoded(encodedValue) }

        var name: String? { Self.decoded(encodedName) }

        /// Whether the decoded name is exactly `name`.
        func isNamed(_ name: String) -> Bool {
            Self.isPlain(encodedName)
                ? encodedName.elementsEqual(name.utf8) : self.name?.utf8.elementsEqual(name.utf8) ?? false
        }

        /// Most are, the key at every request among them: then its bytes are the text.
        private static func isPlain(_ encoded: Substring.UTF8View) -> Bool {
            !encoded.contains { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }
        }

        private static func decoded(_ encoded: Substring.UTF8View) -> String? {
            isPlain(encoded) ? String(Substring(encoded)) : PercentEncoding.decode(encoded, plusIsSpace: true)
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
