extension JSONValue {
    /// The compact JSON text in UTF-8: no white space, members in their order. Never contains a line feed.
    public func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        encode(into: &bytes)
        return bytes
    }

    /// Appends the compact JSON text.
    public func encode(into bytes: inout [UInt8]) {
        bytes.append(contentsOf: "null".utf8)
    }

    /// The compact JSON text.
    public var text: String { String(decoding: encoded(), as: UTF8.self) }
}
