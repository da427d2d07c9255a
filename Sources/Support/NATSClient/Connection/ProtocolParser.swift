import Glibc
import NIOCore

/// Cuts a server's stream into frames. Looks at each byte of a line once, however small the pieces are that it comes in, and
/// keeps nothing but numbers between two calls: what is not complete stays in the buffer.
struct ProtocolParser {
    static let lineLimit = 4096
    /// INFO names all servers of a cluster.
    static let infoLimit = 1 << 16

    private let payloadLimit: Int
    /// Bytes of the line under way in which no end was found.
    private var scanned = 0
    private var head: Head?

    init(payloadLimit: Int) {
        self.payloadLimit = payloadLimit
    }

    /// A message whose line has been read. Offsets from the begin of the line.
    private struct Head {
        var subscription = 0
        var subject = 0..<0
        var reply: Range<Int>?
        var headers = 0
        var total = 0
        /// With its CR and LF.
        var line = 0
    }

    /// How many bytes the frame under way needs in all, where that is known.
    var needed: Int? { head.map { $0.line + $0.total + 2 } }

    /// The next frame, or nil where it is not complete. Throws `violation`; nothing may be read afterwards.
    mutating func next(in buffer: inout ByteBuffer) throws(NATSError) -> ServerFrame? {
        if let head { return try message(head, in: &buffer) }
        guard let length = try lineLength(in: buffer) else { return nil }
        scanned = 0
        let line = buffer.readableBytesView.prefix(length)
        switch line.first {
        case UInt8(ascii: "M") where line.starts(with: "MSG ".utf8),
            UInt8(ascii: "H") where line.starts(with: "HMSG ".utf8):
            let head = try buffer.withUnsafeReadableBytes { (bytes) throws(NATSError) in
                try Self.head(UnsafeRawBufferPointer(rebasing: bytes[..<length]))
            }
            guard head.total <= payloadLimit else {
                throw NATSError(
                    .violation,
                    "the server sent a message of \(head.total) bytes, \(payloadLimit) are allowed"
                )
            }
            self.head = head
            return try message(head, in: &buffer)
        default: break
        }
        defer { buffer.moveReaderIndex(forwardBy: length + 2) }
        if line.elementsEqual("PING".utf8) { return .ping }
        if line.elementsEqual("PONG".utf8) { return .pong }
        if line.elementsEqual("+OK".utf8) { return .ok }
        if line.starts(with: "INFO ".utf8) {
            return .info(buffer.getSlice(at: buffer.readerIndex + 5, length: length - 5) ?? ByteBuffer())
        }
        if line.starts(with: "-ERR".utf8) {
            let text = line.dropFirst(4).filter { (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "'") }
            return .error(String(decoding: text.drop { $0 == 0x20 }.prefix(512), as: UTF8.self))
        }
        throw NATSError(.violation, "the server sent a line that is not of the protocol of NATS")
    }

    /// The length of the line at the begin of the buffer without CR and LF, or nil where it has no end yet.
    private mutating func lineLength(in buffer: ByteBuffer) throws(NATSError) -> Int? {
        let (available, offset) = (buffer.readableBytes, scanned)
        guard available > 0 else { return nil }
        let (first, end) = buffer.withUnsafeReadableBytes { bytes -> (UInt8, Int?) in
            let start = bytes.baseAddress!
            let found = memchr(start + offset, Int32(UInt8(ascii: "\n")), available - offset)
            return (bytes[0], found.map { UnsafeRawPointer($0) - start })
        }
        let limit = first == UInt8(ascii: "I") ? Self.infoLimit : Self.lineLimit
        guard (end ?? available) <= limit else {
            throw NATSError(.violation, "the server sent a line of more than \(limit) bytes")
        }
        guard let end else {
            scanned = available
            return nil
        }
        guard end > 0, buffer.getInteger(at: buffer.readerIndex + end - 1, as: UInt8.self) == UInt8(ascii: "\r") else {
            throw NATSError(.violation, "the server sent a line that does not end with CR and LF")
        }
        return end - 1
    }

    private mutating func message(_ head: Head, in buffer: inout ByteBuffer) throws(NATSError) -> ServerFrame? {
        guard buffer.readableBytes >= head.line + head.total + 2 else { return nil }
        self.head = nil
        let start = buffer.readerIndex
        let end = start + head.line + head.total
        guard buffer.getInteger(at: end, as: UInt16.self) == 0x0D0A else {
            throw NATSError(.violation, "the server sent a message that does not end where it says")
        }
        func slice(_ offset: Int, _ length: Int) -> ByteBuffer {
            length == 0 ? ByteBuffer() : buffer.getSlice(at: start + offset, length: length) ?? ByteBuffer()
        }
        let message = ServerFrame.Message(
            subscription: head.subscription,
            subject: slice(head.subject.lowerBound, head.subject.count),
            reply: head.reply.map { slice($0.lowerBound, $0.count) },
            headers: slice(head.line, head.headers),
            payload: slice(head.line + head.headers, head.total - head.headers)
        )
        buffer.moveReaderIndex(to: end + 2)
        return .message(message)
    }

    /// `MSG subject sid [reply] size` or `HMSG subject sid [reply] headers size`.
    private static func head(_ line: UnsafeRawBufferPointer) throws(NATSError) -> Head {
        let malformed = NATSError(.violation, "the server sent a malformed line of a message")
        let hasHeaders = line[0] == UInt8(ascii: "H")
        var head = Head()
        head.line = line.count + 2
        // The words after the first one, as many as there can be.
        var words = (0..<0, 0..<0, 0..<0, 0..<0, 0..<0)
        var count = 0
        var position = hasHeaders ? 5 : 4
        while position < line.count {
            let start = position
            while position < line.count, line[position] != 0x20 { position += 1 }
            // The server's own events have two blanks where a reply subject would be.
            if position == start {
                position += 1
                continue
            }
            switch count {
            case 0: words.0 = start..<position
            case 1: words.1 = start..<position
            case 2: words.2 = start..<position
            case 3: words.3 = start..<position
            case 4: words.4 = start..<position
            default: throw malformed
            }
            count += 1
            position += 1
        }
        let numbers = hasHeaders ? 2 : 1
        guard count == 2 + numbers || count == 3 + numbers else { throw malformed }
        let hasReply = count == 3 + numbers
        let sizes = hasReply ? (words.3, words.4) : (words.2, words.3)
        guard let subscription = number(line, words.1), let first = number(line, sizes.0) else { throw malformed }
        head.subscription = subscription
        head.subject = words.0
        head.reply = hasReply ? words.2 : nil
        head.total = first
        if hasHeaders {
            guard let total = number(line, sizes.1), first <= total else { throw malformed }
            head.headers = first
            head.total = total
        }
        return head
    }

    /// A decimal number of at most nine digits.
    private static func number(_ line: UnsafeRawBufferPointer, _ range: Range<Int>) -> Int? {
        guard (1...9).contains(range.count) else { return nil }
        var value = 0
        for index in range {
            guard (0x30...0x39).contains(line[index]) else { return nil }
            value = value * 10 + Int(line[index] - 0x30)
        }
        return value
    }
}
