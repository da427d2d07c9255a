import SupervisorPluginAPI
import Testing

@Suite struct FrameSplitterTests {
    private static func split(_ pieces: [[UInt8]], limit: Int = 64) -> [Result<[UInt8], FrameError>] {
        var splitter = FrameSplitter(limit: limit)
        var lines: [Result<[UInt8], FrameError>] = []
        for piece in pieces { splitter.append(piece) { lines.append($0) } }
        return lines
    }

    private static func texts(_ lines: [Result<[UInt8], FrameError>]) -> [String?] {
        lines.map { line in (try? line.get()).map { String(decoding: $0, as: UTF8.self) } }
    }

    private static let stream = Array("{\"a\":\"\u{2028}\u{85}é\"}\n\n{\"b\":1}\r\n{\"c\":2}\nrest".utf8)
    private static let lines = ["{\"a\":\"\u{2028}\u{85}é\"}", "", "{\"b\":1}\r", "{\"c\":2}"]

    @Test(arguments: 0...stream.count) func aStreamCutInTwoGivesTheSameLines(position: Int) {
        let pieces = [Array(Self.stream[..<position]), Array(Self.stream[position...])]
        #expect(Self.texts(Self.split(pieces)) == Self.lines)
    }

    @Test(arguments: 1...stream.count) func aStreamInPiecesOfAnySizeGivesTheSameLines(size: Int) {
        let pieces = stride(from: 0, to: Self.stream.count, by: size).map {
            Array(Self.stream[$0..<min($0 + size, Self.stream.count)])
        }
        #expect(Self.texts(Self.split(pieces)) == Self.lines)
    }

    @Test(arguments: 0...200) func aLineOverTheLimitIsToldOnceAndTheNextIsRead(cut: Int) {
        let stream = Array((String(repeating: "x", count: 150) + "\nnext\n").utf8)
        let position = min(cut, stream.count)
        let lines = Self.split([Array(stream[..<position]), Array(stream[position...])])
        #expect(Self.texts(lines) == [nil, "next"])
        guard case .failure(let error)? = lines.first else { return }
        #expect(error.kind == .tooLong)
        #expect(error.id == nil)
    }

    @Test func theLimitIsALineWithoutItsLineFeed() {
        let longest = [UInt8](repeating: 0x78, count: PluginProtocol.maximumFrameSize)
        let limit = PluginProtocol.maximumFrameSize
        #expect(Self.texts(Self.split([longest, [0x0A]], limit: limit)).map { $0?.utf8.count } == [limit])
        #expect(Self.texts(Self.split([longest, [0x78], [0x0A]], limit: limit)) == [nil])
    }

    @Test func aLineOverTheLimitIsToldBeforeItEnds() {
        #expect(Self.texts(Self.split([[UInt8](repeating: 0x78, count: 65)])) == [nil])
    }

    @Test func aPartialLineIsKnown() {
        var splitter = FrameSplitter(limit: 4)
        #expect(!splitter.hasPartialLine)
        splitter.append([0x78]) { _ in }
        #expect(splitter.hasPartialLine)
        splitter.append([0x0A]) { _ in }
        #expect(!splitter.hasPartialLine)
        splitter.append([UInt8](repeating: 0x78, count: 9)) { _ in }
        #expect(splitter.hasPartialLine)
        splitter.append([0x0A]) { _ in }
        #expect(!splitter.hasPartialLine)
    }
}
