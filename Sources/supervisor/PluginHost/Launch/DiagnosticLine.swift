import Logging

/// A line that a plugin wrote to its standard error: `<N>` of sd-daemon(3) sets the level, `[operation id]` after it says
/// what it was written for, as `PluginLog` of the plugin API writes it.
struct DiagnosticLine: Sendable, Hashable {
    var level: Logger.Level
    var operation: String?
    /// The id of the request on the wire.
    var request: String?
    var text: String

    init(_ bytes: some Collection<UInt8>) {
        var rest = Array(bytes)[...]
        if rest.last == UInt8(ascii: "\r") { rest.removeLast() }
        level = Self.takeLevel(&rest) ?? .info
        (operation, request) = Self.takeCall(&rest) ?? (nil, nil)
        text = String(decoding: rest.map { $0 < 0x20 || $0 == 0x7F ? UInt8(ascii: " ") : $0 }, as: UTF8.self)
    }

    private static func takeLevel(_ rest: inout ArraySlice<UInt8>) -> Logger.Level? {
        let start = Array(rest.prefix(3))
        guard start.count == 3, start[0] == UInt8(ascii: "<"), start[2] == UInt8(ascii: ">") else { return nil }
        let levels: [Logger.Level] = [.critical, .critical, .critical, .error, .warning, .notice, .info, .debug]
        let number = Int(start[1]) - Int(UInt8(ascii: "0"))
        guard levels.indices.contains(number) else { return nil }
        rest = rest.dropFirst(3)
        return levels[number]
    }

    private static func takeCall(_ rest: inout ArraySlice<UInt8>) -> (String, String)? {
        guard rest.first == UInt8(ascii: "["), let end = rest.prefix(160).firstIndex(of: UInt8(ascii: "]")) else {
            return nil
        }
        let words = rest[rest.index(after: rest.startIndex)..<end].split(separator: UInt8(ascii: " "))
        guard words.count == 2, words.allSatisfy({ $0.allSatisfy { (0x21...0x7E).contains($0) } }) else { return nil }
        let operation = String(decoding: words[0], as: UTF8.self)
        guard ManifestReader.isOperation(operation) || operation.hasPrefix("plugin.") else { return nil }
        rest = rest[rest.index(after: end)...]
        if rest.first == UInt8(ascii: " ") { rest = rest.dropFirst() }
        return (operation, String(decoding: words[1], as: UTF8.self))
    }
}

/// Cuts a plugin's standard error into lines of bounded length. What is longer is cut, the rest of it is dropped.
struct DiagnosticSplitter: Sendable {
    static let limit = 4096

    private var partial: [UInt8] = []
    private var isCut = false

    /// The lines that `bytes` complete.
    mutating func lines(completedBy bytes: some Collection<UInt8>) -> [DiagnosticLine] {
        var lines: [DiagnosticLine] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                if let line = finish() { lines.append(line) }
            } else if !isCut {
                partial.append(byte)
                isCut = partial.count == Self.limit
            }
        }
        return lines
    }

    /// What came after the last line feed; nil where nothing did.
    mutating func finish() -> DiagnosticLine? {
        defer {
            partial.removeAll(keepingCapacity: true)
            isCut = false
        }
        return partial.isEmpty ? nil : DiagnosticLine(partial)
    }
}
