import NIOCore

extension NATSClient {
    /// The connection, where this message can be written to it.
    func ready(_ subject: String, _ headers: NATSHeaders, _ payload: ByteBuffer) throws(NATSError) -> Connection {
        guard let connection, let info else {
            throw NATSError(.notConnected, lastError.map { "not connected: \($0)" } ?? "not connected")
        }
        try Self.check(subject)
        let size = headers.block.readableBytes + payload.readableBytes
        guard size <= info.maxPayload else {
            throw NATSError(.payloadTooLarge, "the message has \(size) bytes, the server takes \(info.maxPayload)")
        }
        guard headers.isEmpty || info.hasHeaders else {
            throw NATSError(.invalid, "the server takes no headers")
        }
        guard connection.backlog + size <= configuration.outgoingLimit else {
            throw NATSError(.overloaded, "\(connection.backlog) bytes wait for the server already")
        }
        return connection
    }

    /// A subject is at most 1024 bytes of printable ASCII without spaces, and no token of it is empty.
    static func check(_ subject: String, mayHaveWildcards: Bool = false) throws(NATSError) {
        var isValid = (1...1024).contains(subject.utf8.count)
        var last = UInt8(ascii: ".")
        for byte in subject.utf8 where isValid {
            isValid = (0x21...0x7E).contains(byte) && !(byte == UInt8(ascii: ".") && last == byte)
            if byte == UInt8(ascii: "*") || byte == UInt8(ascii: ">") { isValid = isValid && mayHaveWildcards }
            last = byte
        }
        guard isValid, last != UInt8(ascii: ".") else {
            throw NATSError(
                .invalid,
                "a subject is 1 to 1024 printable ASCII characters without spaces, in tokens between single dots"
                    + (mayHaveWildcards ? "" : ", and has no wildcards where something is sent")
            )
        }
    }

    static func write(_ subscription: Subscription, _ id: Int, to buffer: inout ByteBuffer) {
        buffer.writeString("SUB \(subscription.subject) \(subscription.queue.map { $0 + " " } ?? "")\(id)\r\n")
        if let left = subscription.left { buffer.writeString("UNSUB \(id) \(left)\r\n") }
    }

    /// The line of PUB or HPUB. `reply` writes the subject of the answer and a space.
    static func writeHead(
        _ subject: String,
        _ headers: NATSHeaders,
        _ payload: ByteBuffer,
        to buffer: inout ByteBuffer,
        reply: (inout ByteBuffer) -> Void
    ) {
        let size = headers.block.readableBytes
        buffer.writeStaticString(size == 0 ? "PUB " : "HPUB ")
        buffer.writeString(subject)
        buffer.writeInteger(UInt8(ascii: " "))
        reply(&buffer)
        if size > 0 {
            writeNumber(size, to: &buffer)
            buffer.writeInteger(UInt8(ascii: " "))
        }
        writeNumber(size + payload.readableBytes, to: &buffer)
        buffer.writeStaticString("\r\n")
    }

    static func writeBody(_ headers: NATSHeaders, _ payload: ByteBuffer, to buffer: inout ByteBuffer) {
        buffer.writeImmutableBuffer(headers.block)
        buffer.writeImmutableBuffer(payload)
        buffer.writeStaticString("\r\n")
    }

    static func writeNumber(_ number: Int, to buffer: inout ByteBuffer) {
        if number >= 10 { writeNumber(number / 10, to: &buffer) }
        buffer.writeInteger(UInt8(ascii: "0") + UInt8(number % 10))
    }
}
