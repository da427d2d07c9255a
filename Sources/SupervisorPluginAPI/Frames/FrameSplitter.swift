/// Cuts a stream of bytes into lines at the byte 0x0A and nowhere else: U+2028, NEL, VT and FF may stand in a string, and
/// a string type's own idea of a line would cut there.
public struct FrameSplitter: Sendable {
    private let limit: Int
    private var partial: [UInt8] = []
    /// Whether the bytes up to the next line feed belong to a line that is too long.
    private var isSkipping = false

    public init(limit: Int = PluginProtocol.maximumFrameSize) {
        self.limit = limit
    }

    /// Whether there are bytes of a line whose line feed has not arrived yet.
    public var hasPartialLine: Bool { isSkipping || !partial.isEmpty }

    /// Takes the next bytes of the stream; calls `handle` for every line that they complete, and once, with `tooLong`, for
    /// every line over the limit, as soon as that is known. Never holds more than the limit.
    public mutating func append(
        _ bytes: some Collection<UInt8>,
        _ handle: (Result<[UInt8], FrameError>) -> Void
    ) {
        var rest = bytes[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            take(rest[..<end], handle)
            rest = rest[rest.index(after: end)...]
            if !isSkipping {
                let line = partial
                partial = []
                handle(.success(line))
            }
            isSkipping = false
        }
        take(rest, handle)
    }

    private mutating func take(_ bytes: some Collection<UInt8>, _ handle: (Result<[UInt8], FrameError>) -> Void) {
        guard !isSkipping else { return }
        guard partial.count + bytes.count <= limit else {
            isSkipping = true
            partial = []
            return handle(.failure(FrameError(.tooLong, "a frame of more than \(limit) bytes")))
        }
        partial.append(contentsOf: bytes)
    }
}
