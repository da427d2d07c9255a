import SupervisorPluginAPI

/// The file of addresses and subnets that are reached directly: one on a line; `#` begins a comment.
enum NoProxyList {
    /// A line that is not an address or subnet. Shows no value.
    struct SyntaxError: Error, Hashable {
        /// From 1.
        var line: Int
    }

    static func parse(_ text: [UInt8]) throws(SyntaxError) -> [String] {
        var list: [String] = []
        let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let isSpace = { (byte: UInt8) in byte == 0x20 || byte == 0x09 || byte == 0x0D }
            let start = line.prefix { $0 != UInt8(ascii: "#") }.drop(while: isSpace)
            guard let last = start.lastIndex(where: { !isSpace($0) }) else { continue }
            let word = String(decoding: start[...last], as: UTF8.self)
            guard IPv4Network.isValid(word) else { throw SyntaxError(line: index + 1) }
            list.append(word)
        }
        return list
    }

    /// nil for an empty list, which is no file.
    static func encode(_ list: [String]) -> [UInt8]? {
        list.isEmpty ? nil : list.flatMap { Array($0.utf8) + [UInt8(ascii: "\n")] }
    }
}
