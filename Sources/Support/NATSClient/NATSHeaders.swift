import LinuxSupport
import NIOCore

/// The headers of a message, in the form in which they travel. Names are compared without regard to the case of ASCII.
public struct NATSHeaders: Sendable {
    /// Empty, or the status line, the headers and the empty line.
    private(set) var block: ByteBuffer

    public init() {
        block = ByteBuffer()
    }

    init(block: ByteBuffer) {
        self.block = block
    }

    public var isEmpty: Bool { block.readableBytes == 0 }

    /// - Throws: `invalid` for a name that is no token of HTTP and for a value with control characters, or longer than 4 kB.
    public mutating func add(_ name: String, _ value: String) throws(NATSError) {
        let isName = name.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ":") }
        guard isName, (1...128).contains(name.utf8.count) else {
            throw NATSError(
                .invalid,
                "the name of a header has 1 to 128 printable ASCII characters without space and colon"
            )
        }
        guard value.utf8.count <= 4096, !value.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
            throw NATSError(.invalid, "the value of the header \(name) has control characters or more than 4096 bytes")
        }
        if block.readableBytes == 0 {
            block.writeStaticString("NATS/1.0\r\n\r\n")
        }
        block.moveWriterIndex(to: block.writerIndex - 2)
        block.writeString(name)
        block.writeStaticString(": ")
        block.writeString(value)
        block.writeStaticString("\r\n\r\n")
    }

    /// The first value with this name, without the spaces around it.
    public subscript(name: String) -> String? {
        let bytes = block.readableBytesView
        var start = bytes.startIndex
        while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\r")) {
            let line = bytes[start..<end]
            if let colon = line.firstIndex(of: UInt8(ascii: ":")), line[..<colon].count == name.utf8.count,
                zip(line[..<colon], name.utf8).allSatisfy({ $0.lowercasedASCII == $1.lowercasedASCII })
            {
                let value = line[line.index(after: colon)...].drop { $0 == 0x20 || $0 == 0x09 }
                let blanks = value.reversed().prefix { $0 == 0x20 || $0 == 0x09 }.count
                return String(decoding: value.dropLast(blanks), as: UTF8.self)
            }
            start = bytes.index(end, offsetBy: 2, limitedBy: bytes.endIndex) ?? bytes.endIndex
        }
        return nil
    }

    /// The status of the first line: 503 where nothing serves a subject.
    var status: Int? {
        let line = block.readableBytesView.prefix(12)
        guard line.count == 12, line.starts(with: "NATS/1.0 ".utf8), line.suffix(3).isDecimal else { return nil }
        return line.suffix(3).reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }
}
