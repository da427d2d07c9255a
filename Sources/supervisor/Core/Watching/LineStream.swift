public import JSON

/// Lines of JSON on their way to one reader, who takes them at their own pace.
///
/// The writer never waits and never keeps more than `capacity` bytes: what a slow reader has not taken by then is dropped,
/// the oldest lines first, and a line `{"event":"lines.lost","count":N}` in their place says how many. Runs on the executor of
/// the core.
public actor LineStream {
    private nonisolated let executor: any SerialExecutor & TaskExecutor
    private let capacity: Int
    private var lines: [[UInt8]] = []
    /// Where in `lines` those begin that were not taken yet.
    private var start = 0
    /// Bytes of the lines that wait.
    private var size = 0
    private var lost = 0
    private var reader: CheckedContinuation<Void, Never>?
    /// No further line comes; those that wait are still handed out.
    public private(set) var isFinished = false
    /// Called once, when no further line is wanted or comes.
    private var onEnd: (@Sendable () -> Void)?

    /// What waits for a reader at most.
    public static let standardCapacity = 256 << 10
    /// About as much as `next()` hands out at once.
    private static let batch = 16 << 10

    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    public init(executor: any SerialExecutor & TaskExecutor, capacity: Int = standardCapacity) {
        self.executor = executor
        self.capacity = capacity
    }

    /// Has `body` called once at the end, at once where that has come already.
    public func atEnd(_ body: @escaping @Sendable () -> Void) {
        if isFinished { body() } else { onEnd = body }
    }

    /// Appends a line, unless the stream is finished.
    public func push(_ line: JSONValue) {
        var bytes: [UInt8] = []
        line.encode(into: &bytes)
        push(bytes)
    }

    /// As the other; `line` has no line feed.
    func push(_ line: [UInt8]) {
        guard !isFinished else { return }
        lines.append(line)
        size += line.count + 1
        while size > capacity, start < lines.count - 1 {
            size -= lines[start].count + 1
            lines[start] = []
            start += 1
            lost += 1
        }
        // What was dropped must not pile up in front.
        if start > 1024 { forgetTaken() }
        wake()
    }

    /// Nothing more comes. What waits may still be read.
    public func finish() {
        guard !isFinished else { return }
        isFinished = true
        wake()
        end()
    }

    /// The reader is gone.
    public func cancel() {
        isFinished = true
        lines = []
        (start, size, lost) = (0, 0, 0)
        wake()
        end()
    }

    /// Some whole lines, each with its line feed; waits until there is one. nil at the end. One reader at a time.
    public func next() async -> [UInt8]? {
        while start == lines.count {
            if isFinished { return nil }
            await withCheckedContinuation { continuation in
                if start < lines.count || isFinished { continuation.resume() } else { reader = continuation }
            }
        }
        var bytes: [UInt8] = []
        if lost > 0 {
            JSONValue.object(["event": "lines.lost", "count": .integer(Int64(lost))]).encode(into: &bytes)
            bytes.append(UInt8(ascii: "\n"))
            lost = 0
        }
        while start < lines.count, bytes.isEmpty || bytes.count + lines[start].count < Self.batch {
            bytes += lines[start]
            bytes.append(UInt8(ascii: "\n"))
            size -= lines[start].count + 1
            lines[start] = []
            start += 1
        }
        forgetTaken()
        return bytes
    }

    private func forgetTaken() {
        lines.removeSubrange(..<start)
        start = 0
        // A burst must not keep its memory for the life of a stream.
        if lines.isEmpty { lines = [] }
    }

    private func wake() {
        reader?.resume()
        reader = nil
    }

    private func end() {
        onEnd?()
        onEnd = nil
    }
}
