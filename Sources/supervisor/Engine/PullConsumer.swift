internal import JSON
internal import NIOCore
internal import SupervisorCore
internal import UnixHTTP

/// Reads the stream of a download.
struct PullConsumer: BodyConsumer {
    private let report: @Sendable (Double) -> Void
    private var lines = LineSplitter(limit: 64 << 10)
    private var progress = PullProgress()
    private var reported: Double = -1

    /// Why the download failed, or why its stream is malformed.
    private(set) var failure: EngineError?

    init(report: @escaping @Sendable (Double) -> Void) {
        self.report = report
    }

    mutating func begin() {
        reportProgress()
    }

    mutating func receive(_ bytes: ByteBuffer) -> BodyDecision {
        lines.append(bytes.readableBytesView)
        do {
            while failure == nil, let line = try lines.next() { take(line) }
        } catch {
            failure = EngineError(.malformedAnswer, "a message of the download is too long")
        }
        reportProgress()
        return failure == nil ? .proceed : .stop
    }

    /// Must be called when the stream has ended.
    mutating func finish() {
        if failure == nil, let line = lines.finish() { take(line) }
    }

    private mutating func take(_ line: [UInt8]) {
        do {
            progress.receive(try JSONValue(parsing: line))
        } catch {
            failure = EngineError(.malformedAnswer, "a message of the download is not JSON: \(error)")
        }
        if let message = progress.failure {
            failure = EngineError(.failed, message)
        }
    }

    private mutating func reportProgress() {
        guard progress.percentage > reported else { return }
        reported = progress.percentage
        report(reported)
    }
}
