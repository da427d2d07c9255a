import NIOCore

@testable import NATSClient
@testable import NATSKeys

/// What a server of the bus sends, and the texts that name one.
struct BusTarget: FuzzTarget {
    func run(_ input: [UInt8]) {
        let whole = frames(input, pieces: input.count)
        // The same frames, and the same end, whatever the pieces it comes in.
        precondition(whole == frames(input, pieces: 7), "pieces of seven bytes make another result")
        if input.count < 2000 { precondition(whole == frames(input, pieces: 1), "single bytes make another result") }
        let text = String(decoding: input, as: UTF8.self)
        if let server = try? NATSServer(parsing: text) {
            precondition((try? NATSServer(parsing: server.description)) == server, "an address does not come back")
        }
        _ = try? NATSToken.claims(of: text)
        _ = try? NKey(seed: text)
        _ = try? NATSServerInfo(parsing: input)
    }

    private func frames(_ input: [UInt8], pieces: Int) -> [String] {
        var parser = ProtocolParser(payloadLimit: 1 << 16)
        var (buffer, found) = (ByteBuffer(), [String]())
        for start in stride(from: 0, to: input.count, by: max(pieces, 1)) {
            buffer.writeBytes(input[start..<min(start + pieces, input.count)])
            do throws(NATSError) {
                while let frame = try parser.next(in: &buffer) { found.append(text(of: frame)) }
            } catch {
                return found + [error.message]
            }
        }
        return found
    }

    private func text(of frame: ServerFrame) -> String {
        guard case .message(let message) = frame else { return "\(frame)" }
        let headers = NATSHeaders(block: message.headers)
        precondition(headers["x"].map { $0.utf8.count <= message.headers.readableBytes * 3 } ?? true)
        return "\(message.subscription) \(message.subject.readableBytes) \(message.reply?.readableBytes ?? -1) "
            + "\(message.headers.readableBytes) \(message.payload.readableBytes) \(headers.status ?? 0)"
    }
}
