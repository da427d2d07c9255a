/// Cuts a stream of bytes into lines at the byte 0x0A, across pieces of any size.
struct LineSplitter: Sendable {
    /// A line got longer than the limit.
    struct OverflowError: Error, Hashable {}

    /// Bytes of a line, without its end.
    let limit: Int
    private var buffer: [UInt8] = []
    /// Where the next line begins.
    private var start = 0
    /// Whether the line that is coming is too long, and nothing of it is kept.
    private var isSkipping = false
    /// Up to where there is no end of it.
    private var searched = 0

    init(limit: Int) {
        self.limit = limit
    }

    /// Must be followed by `next()` until that returns nil, which keeps what is stored below the limit and one piece.
    mutating func append(_ bytes: some Sequence<UInt8>) {
        buffer.append(contentsOf: bytes)
    }

    /// The next complete line, without its LF or CR LF; empty lines are passed over. nil where its end has not come.
    mutating func next() throws(OverflowError) -> [UInt8]? {
        while let end = buffer[searched...].firstIndex(of: 0x0A) {
            let line = buffer[start..<end]
            start = end + 1
            searched = start
            if isSkipping {
                isSkipping = false
                continue
            }
            guard line.count <= limit else { throw OverflowError() }
            let content = line.last == 0x0D ? line.dropLast() : line
            if !content.isEmpty { return Array(content) }
        }
        buffer.removeSubrange(..<start)
        start = 0
        searched = buffer.count
        if isSkipping { discard() }
        guard buffer.count <= limit else { throw OverflowError() }
        // One long line must not keep its memory for the life of a stream.
        if buffer.isEmpty, buffer.capacity > 4096 { buffer = [] }
        return nil
    }

    /// After an overflow: what is here of the line that is too long is dropped, and so is the rest of it.
    mutating func skip() {
        // `next` has passed over a line whose end is here.
        guard start == 0 else { return }
        isSkipping = true
        discard()
    }

    private mutating func discard() {
        buffer = []
        (start, searched) = (0, 0)
    }

    /// The rest of the stream, which is a line too; nil if there is none.
    mutating func finish() -> [UInt8]? {
        defer {
            buffer = []
            (start, searched) = (0, 0)
        }
        let line = buffer[start...]
        let content = line.last == 0x0D ? line.dropLast() : line
        return content.isEmpty ? nil : Array(content)
    }
}
