internal import NIOCore
internal import UnixHTTP

/// Collects an answer, without what is long in it: one container or image with labels or variables of any size must not keep
/// us from the others, or from stopping it.
struct AnswerConsumer: BodyConsumer {
    /// Bytes that a string of an answer may have: more than any variable that Linux hands to a process, however it is written.
    static let stringLimit = 1 << 20

    private let limit: Int
    private var strings: LongStringFilter
    private(set) var body: [UInt8] = []
    private(set) var isTooLarge = false

    /// - Parameters:
    ///   - limit: bytes of the answer, without what is cut from it.
    ///   - stringLimit: bytes of a string in it.
    init(limit: Int, stringLimit: Int) {
        self.limit = limit
        strings = LongStringFilter(limit: stringLimit)
    }

    mutating func receive(_ bytes: ByteBuffer) -> BodyDecision {
        body += bytes.withUnsafeReadableBytes { strings.filter($0) }
        guard body.count > limit else { return .proceed }
        (isTooLarge, body) = (true, [])
        return .stop
    }
}
