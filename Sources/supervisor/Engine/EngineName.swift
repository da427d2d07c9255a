internal import LinuxSupport
internal import SupervisorCore

/// The id or the name of a container or a network, in the engine's own grammar: letters, digits, "_", ".", "-", the
/// first of them a letter or digit. Nothing that matches can leave its segment of a request's path.
struct EngineName: Sendable, Hashable, CustomStringConvertible {
    let text: String

    init(_ text: String, of kind: String) throws(EngineError) {
        let bytes = text.utf8
        guard let first = bytes.first, Self.isAlphanumeric(first), bytes.count <= 255,
            bytes.allSatisfy({ Self.isAlphanumeric($0) || $0 == 0x5F || $0 == 0x2E || $0 == 0x2D })
        else {
            throw EngineError(.invalid, "\(text.debugDescription) cannot be the name of a \(kind)")
        }
        self.text = text
    }

    /// Short for people: the first 12 digits of a full id.
    var description: String {
        text.utf8.count == 64 && text.utf8.allSatisfy(Self.isHex) ? String(text.prefix(12)) : text
    }

    static func isAlphanumeric(_ byte: UInt8) -> Bool {
        byte.isASCIILetter || byte.isASCIIDigit
    }

    static func isHex(_ byte: UInt8) -> Bool {
        byte.isLowercaseHexDigit
    }
}
