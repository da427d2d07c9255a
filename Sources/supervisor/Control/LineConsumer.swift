import JSON
import NIOCore
import UnixHTTP

/// Takes a body of lines, each a JSON value, as they come.
struct LineConsumer: BodyConsumer {
    /// Bytes of a line; more is no answer of ours.
    private static let limit = 1 << 20

    /// Called on the event loop. False ends the stream.
    private let handle: @Sendable (JSONValue) -> Bool
    private var buffer: [UInt8] = []

    /// Why the stream is malformed.
    private(set) var failure: String?
    /// Whether it was `handle` that wanted no more.
    private(set) var wasStopped = false

    init(handle: @escaping @Sendable (JSONValue) -> Bool) {
        self.handle = handle
    }

    mutating func receive(_ bytes: ByteBuffer) -> BodyDecision {
        buffer += bytes.readableBytesView
        var start = 0
        while let end = buffer[start...].firstIndex(of: UInt8(ascii: "\n")) {
            let line = buffer[start..<end]
            start = end + 1
            guard let value = try? JSONValue(parsing: Array(line)) else {
                failure = "the supervisor sent a line that is not JSON"
                return .stop
            }
            guard handle(value) else {
                wasStopped = true
                return .stop
            }
        }
        buffer.removeSubrange(..<start)
        guard buffer.count <= Self.limit else {
            failure = "the supervisor sent a line that does not end"
            return .stop
        }
        return .proceed
    }
}
