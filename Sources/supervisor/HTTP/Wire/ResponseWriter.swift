import NIOCore
import NIOHTTP1

/// Turns responses into bytes: head and body in one buffer, so that each leaves with one write.
///
/// All connections of a server share one writer. Its storage is used again as soon as the kernel has taken the bytes,
/// which is before the next response in all but the rarest cases; otherwise the buffer is copied on write.
struct ResponseWriter {
    /// A buffer that grew beyond this for one response is not kept for the next.
    private static let keptCapacity = 16 * 1024

    private var buffer = ByteBuffer()
    private var date = HTTPDate()

    static let goOn = ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")

    /// - Parameters:
    ///   - withoutBody: the answer to a HEAD: the header section of the answer to a GET, and no more.
    ///   - closing: no further request is answered on this connection.
    ///   - seconds: since 1970, for Date.
    mutating func bytes(
        of response: Response,
        requestID: String,
        withoutBody: Bool,
        closing: Bool,
        seconds: Int64
    ) -> ByteBuffer {
        if buffer.capacity > Self.keptCapacity { buffer = ByteBuffer() }
        buffer.clear()
        buffer.writeStaticString("HTTP/1.1 ")
        buffer.writeString(String(response.status.code))
        buffer.writeStaticString(" ")
        buffer.writeString(response.status.reasonPhrase)
        buffer.writeStaticString("\r\n")
        writeLength(of: response)
        buffer.writeStaticString("Date: ")
        buffer.writeString(date.text(at: seconds))
        buffer.writeStaticString("\r\nX-Request-Id: ")
        buffer.writeString(requestID)
        buffer.writeStaticString("\r\n")
        for header in response.headers {
            buffer.writeString(header.name)
            buffer.writeStaticString(": ")
            buffer.writeString(header.value)
            buffer.writeStaticString("\r\n")
        }
        if closing { buffer.writeStaticString("Connection: close\r\n") }
        buffer.writeStaticString("\r\n")
        if !withoutBody {
            switch response.body {
            case .none: break
            case .text(let text): buffer.writeString(text)
            case .json(let bytes): buffer.writeBytes(bytes)
            }
        }
        return buffer
    }

    /// The head of an answer that comes line by line and ends with the connection.
    mutating func streamHead(requestID: String, chunked: Bool, seconds: Int64) -> ByteBuffer {
        buffer.clear()
        buffer.writeStaticString("HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n")
        if chunked { buffer.writeStaticString("Transfer-Encoding: chunked\r\n") }
        buffer.writeStaticString("Date: ")
        buffer.writeString(date.text(at: seconds))
        buffer.writeStaticString("\r\nX-Request-Id: ")
        buffer.writeString(requestID)
        buffer.writeStaticString("\r\nConnection: close\r\n\r\n")
        return buffer
    }

    /// A chunk of a body (RFC 9112, section 7.1); an empty one ends it.
    static func chunk(_ bytes: [UInt8]) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(bytes.count + 12)
        buffer.writeString(String(bytes.count, radix: 16))
        buffer.writeStaticString("\r\n")
        buffer.writeBytes(bytes)
        buffer.writeStaticString("\r\n")
        return buffer
    }

    private mutating func writeLength(of response: Response) {
        let length: Int
        switch response.body {
        case .none where response.status == .noContent:
            // RFC 9110, section 8.6: no Content-Length in a 204.
            return
        case .none:
            length = 0
        case .text(let text):
            buffer.writeStaticString("Content-Type: text/plain; charset=utf-8\r\n")
            length = text.utf8.count
        case .json(let bytes):
            buffer.writeStaticString("Content-Type: application/json; charset=utf-8\r\n")
            length = bytes.count
        }
        buffer.writeStaticString("Content-Length: ")
        buffer.writeString(String(length))
        buffer.writeStaticString("\r\n")
    }
}
