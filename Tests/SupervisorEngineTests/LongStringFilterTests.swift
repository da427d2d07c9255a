import JSON
import Testing

@testable import SupervisorEngine

@Suite("Long strings of an answer")
struct LongStringFilterTests {
    private func filtered(_ text: String, limit: Int = 4, size: Int) -> String {
        var filter = LongStringFilter(limit: limit)
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: size) {
            let piece = Array(bytes[start..<min(start + size, bytes.count)])
            result += piece.withUnsafeBytes { filter.filter($0) }
        }
        return String(decoding: result, as: UTF8.self)
    }

    @Test(
        "are cut between characters, whatever the size of the pieces",
        arguments: [
            (#"{"a":"1234","b":[1234567,true]}"#, #"{"a":"1234","b":[1234567,true]}"#),
            (#"{"a":"12345","b":"x"}"#, #"{"a":"1234","b":"x"}"#),
            (#"["12\"456","\\\\\\","}"]"#, #"["12\"","\\\\","}"]"#),
            (#"["123\u00e9\u00e9","é"]"#, #"["123\u00e9","é"]"#),
            (#"["123\ud83d\ude00x"]"#, #"["123\ud83d\ude00"]"#),
            (#"["12éé","😀😀"]"#, #"["12é","😀"]"#),
            (#"["123456\"\\"]"#, #"["1234"]"#),
        ]
    )
    func cut(text: String, expected: String) throws {
        for size in 1...text.utf8.count {
            let result = filtered(text, size: size)
            #expect(result == expected, "pieces of \(size)")
            _ = try JSONValue(parsing: result)
        }
    }
}
