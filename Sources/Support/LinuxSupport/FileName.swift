/// A name in a directory: bytes, since it need not be UTF-8.
package struct FileName: Sendable, Hashable {
    /// Ended by a NUL, as system calls want it.
    package let characters: [CChar]

    /// Without the NUL.
    package init(_ bytes: some Sequence<UInt8>) {
        characters = bytes.map { CChar(bitPattern: $0) } + [0]
    }

    package init(_ text: String) {
        self.init(text.utf8)
    }

    package var bytes: ArraySlice<UInt8> { characters.dropLast().map { UInt8(bitPattern: $0) }[...] }

    /// For people.
    package var text: String { String(decoding: bytes, as: UTF8.self) }

    package func hasPrefix(_ prefix: String) -> Bool { bytes.starts(with: prefix.utf8) }
}
