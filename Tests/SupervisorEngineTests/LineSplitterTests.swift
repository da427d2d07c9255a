import Testing

@testable import SupervisorEngine

@Suite("Lines cut from a stream")
struct LineSplitterTests {
    private func lines(_ pieces: [[UInt8]], limit: Int = 100) throws(LineSplitter.OverflowError) -> [String] {
        var splitter = LineSplitter(limit: limit)
        var lines: [String] = []
        for piece in pieces {
            splitter.append(piece)
            while let line = try splitter.next() { lines.append(String(decoding: line, as: UTF8.self)) }
        }
        if let line = splitter.finish() { lines.append(String(decoding: line, as: UTF8.self)) }
        return lines
    }

    @Test("are the same, whatever the size of the pieces", arguments: 1...20)
    func pieces(size: Int) throws {
        let bytes = Array("first\r\n\n\r\nsecond\nthird ä\u{2028}\u{85}\u{B}\rgoes on\r\nrest".utf8)
        let pieces = stride(from: 0, to: bytes.count, by: size).map { Array(bytes[$0..<min($0 + size, bytes.count)]) }
        #expect(try lines(pieces) == ["first", "second", "third ä\u{2028}\u{85}\u{B}\rgoes on", "rest"])
    }

    @Test("may have exactly the limit, with and without an end")
    func limit() throws {
        #expect(try lines([Array("1234\n1234".utf8)], limit: 4) == ["1234", "1234"])
        #expect(throws: LineSplitter.OverflowError()) { try lines([Array("12345\n".utf8)], limit: 4) }
        #expect(throws: LineSplitter.OverflowError()) { try lines([Array("123".utf8), Array("45".utf8)], limit: 4) }
    }

    @Test("are none where nothing came")
    func nothing() throws {
        #expect(try lines([]) == [])
        #expect(try lines([[], [0x0A], [0x0D]]) == [])
    }
}
