/// A name in a directory: bytes, since it need not be UTF-8.
struct FileName: Sendable, Hashable {
    /// Ended by a NUL, as system calls want it.
    let characters: [CChar]

    /// Without the NUL.
    init(_ bytes: some Sequence<UInt8>) {
        characters = bytes.map { CChar(bitPattern: $0) } + [0]
    }

    init(_ text: String) {
        self.init(text.utf8)
    }

    var bytes: ArraySlice<UInt8> { characters.dropLast().map { UInt8(bitPattern: $0) }[...] }

    /// For people.
    var text: String { String(decoding: bytes, as: UTF8.self) }

    func hasPrefix(_ prefix: StaticString) -> Bool {
        prefix.withUTF8Buffer { bytes.starts(with: $0) }
    }
}
