internal import NIOCore
internal import SupervisorCore
internal import SupervisorPorts
internal import UnixHTTP

/// Reads what a container wrote, from the stream of `GET /containers/ID/logs`.
///
/// Without a terminal, the stream consists of frames: one byte for the stream of the container, three zeros, the length
/// of what follows as four bytes, the highest first (Docker Engine API, "Attach to a container"). With one, it is what was
/// written. Lines have nothing to do with frames. Holds no more than a line of each stream.
struct LogConsumer: BodyConsumer {
    private let handle: @Sendable (EngineLogLine) -> Void
    private let hasFrames: Bool
    private var header: [UInt8] = []
    /// Of the present frame.
    private var origin = Origin.output
    /// Bytes that the present frame still has.
    private var rest = 0
    private var output = LogLineAssembler()
    private var errors = LogLineAssembler()
    /// What the engine says itself when it cannot read on.
    private var complaint: [UInt8] = []

    /// Why the stream is malformed, or why the engine gave up.
    private(set) var failure: EngineError?

    private enum Origin: UInt8 {
        case input, output, error, engine
    }

    private static let complaintLimit = 1024

    init(hasFrames: Bool, handle: @escaping @Sendable (EngineLogLine) -> Void) {
        self.hasFrames = hasFrames
        self.handle = handle
    }

    mutating func receive(_ bytes: ByteBuffer) -> BodyDecision {
        let bytes = bytes.readableBytesView
        LoopWatch.shared.run("the output of a container") {
            if hasFrames { takeFrames(bytes[...]) } else { take(bytes[...]) }
        }
        return failure == nil ? .proceed : .stop
    }

    /// Must be called when the stream has ended: what has no end of line is a line too.
    mutating func finish() {
        if let line = output.finish() { handle(EngineLogLine(isError: false, text: line)) }
        if let line = errors.finish() { handle(EngineLogLine(isError: true, text: line)) }
        guard failure == nil else { return }
        if !complaint.isEmpty {
            failure = EngineError(.failed, String(decoding: complaint, as: UTF8.self).oneLine)
        } else if !header.isEmpty || rest > 0 {
            failure = EngineError(.malformedAnswer, "the stream ends within a frame")
        }
    }

    private mutating func takeFrames(_ bytes: ByteBufferView) {
        var bytes = bytes
        while failure == nil, !bytes.isEmpty {
            if rest == 0 {
                let piece = bytes.prefix(8 - header.count)
                header += piece
                bytes = bytes.dropFirst(piece.count)
                if header.count == 8 { beginFrame() }
            } else {
                let piece = bytes.prefix(rest)
                take(piece)
                rest -= piece.count
                bytes = bytes.dropFirst(piece.count)
            }
        }
    }

    private mutating func beginFrame() {
        guard let origin = Origin(rawValue: header[0]), header[1...3].allSatisfy({ $0 == 0 }) else {
            failure = EngineError(.malformedAnswer, "the stream does not consist of frames")
            return
        }
        self.origin = origin
        rest = header[4...].reduce(0) { $0 << 8 | Int($1) }
        header = []
    }

    private mutating func take(_ bytes: ByteBufferView) {
        switch origin {
        case .input, .output: output.take(bytes) { handle(EngineLogLine(isError: false, text: $0)) }
        case .error: errors.take(bytes) { handle(EngineLogLine(isError: true, text: $0)) }
        case .engine: complaint += bytes.prefix(Self.complaintLimit - complaint.count)
        }
    }
}

/// Puts pieces of any size together to lines. A line that is too long is cut, never split.
struct LogLineAssembler: Sendable {
    /// Bytes of a line.
    static let limit = 16 << 10

    /// One byte more than the limit at most: that distinguishes a line that must be cut from one that just fits.
    private var line: [UInt8] = []
    private var hasContent = false

    mutating func take(_ bytes: ByteBufferView, _ emit: (String) -> Void) {
        var bytes = bytes
        while let end = bytes.firstIndex(of: 0x0A) {
            append(bytes[..<end])
            emit(text())
            bytes = bytes[bytes.index(after: end)...]
        }
        append(bytes)
    }

    /// What has no end; nil where there is nothing.
    mutating func finish() -> String? {
        hasContent ? text() : nil
    }

    private mutating func append(_ bytes: ByteBufferView) {
        guard !bytes.isEmpty else { return }
        hasContent = true
        // The end of a line in a terminal has a CR, which is no part of the line.
        line += bytes.prefix(Self.limit + 1 - line.count)
    }

    private mutating func text() -> String {
        defer {
            line = []
            hasContent = false
        }
        if line.last == 0x0D { line.removeLast() }
        if line.count > Self.limit {
            line.removeLast()
            // Not within a character: continuation bytes, and the one before them that they belong to.
            let start = line.lastIndex { $0 & 0xC0 != 0x80 } ?? 0
            if line.count - start < Self.length(of: line[start]) { line.removeSubrange(start...) }
        }
        return String(decoding: line, as: UTF8.self)
    }

    /// Of a character in UTF-8, by its first byte (RFC 3629, section 3).
    private static func length(of first: UInt8) -> Int {
        switch first {
        case 0xC2...0xDF: 2
        case 0xE0...0xEF: 3
        case 0xF0...0xF4: 4
        default: 1
        }
    }
}
