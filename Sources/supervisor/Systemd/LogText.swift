import Logging

/// The parts of a log message that both handlers share.
enum LogText {
    /// Metadata that becomes fields of the journal.
    static let fields = [
        JournalField(key: "plugin", names: ["PLUGIN"], staysInMessage: true),
        JournalField(key: "operation", names: ["OPERATION"], staysInMessage: true),
        JournalField(key: "request-id", names: ["REQUEST_ID", "SUPERVISOR_REQUEST_ID"]),
        JournalField(key: "actor", names: ["ACTOR"], staysInMessage: true),
        JournalField(key: "app-id", names: ["SUPERVISOR_APP_ID"]),
        JournalField(key: "container-id", names: ["SUPERVISOR_CONTAINER_ID"]),
        JournalField(key: "service", names: ["SUPERVISOR_SERVICE"]),
    ]

    /// Later metadata wins: the handler's own, the provider's, the event's; its error comes as "error".
    static func metadata(
        of event: LogEvent,
        under own: Logger.Metadata,
        _ provider: Logger.MetadataProvider?
    ) -> Logger.Metadata {
        var all = own
        if let provided = provider?.get() { all.merge(provided) { $1 } }
        if let given = event.metadata { all.merge(given) { $1 } }
        if let error = event.error { all["error"] = "\(error)" }
        return all
    }

    /// " key=value" for each, in the order of the keys; a value with anything but plain characters is quoted.
    static func append(_ metadata: Logger.Metadata, to text: inout String) {
        guard !metadata.isEmpty else { return }
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            let value = "\(value)"
            let isPlain =
                !value.isEmpty && value.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F && $0 != 0x22 && $0 != 0x3D }
            text += isPlain ? " \(key)=\(value)" : " \(key)=\"\(value.replacing(quote: "\\\""))\""
        }
    }

    /// The priorities of syslog(3).
    static func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }

    /// Appends `text` without anything that could end the line or speak to a terminal: line feed as \n, other control
    /// characters as \xNN.
    static func appendOneLine(_ text: String, to bytes: inout [UInt8]) {
        for byte in text.utf8 {
            switch byte {
            case 0x0A: bytes.append(contentsOf: #"\n"#.utf8)
            case 0x09, 0x20..<0x7F, 0x80...: bytes.append(byte)
            default:
                let digits = String(byte, radix: 16)
                bytes.append(contentsOf: (digits.count == 1 ? #"\x0"# : #"\x"#).utf8)
                bytes.append(contentsOf: digits.utf8)
            }
        }
    }

    /// Shortens to `limit` bytes at most, at the border of a character, and says so with an ellipsis.
    static func shorten(_ bytes: inout [UInt8], to limit: Int) {
        guard bytes.count > limit else { return }
        bytes.removeLast(bytes.count - (limit - 3))
        while let last = bytes.last, last & 0xC0 == 0x80 { bytes.removeLast() }
        if let last = bytes.last, last & 0x80 != 0 { bytes.removeLast() }
        bytes.append(contentsOf: "…".utf8)
    }
}

extension String {
    fileprivate func replacing(quote: String) -> String {
        var bytes: [UInt8] = []
        for byte in utf8 {
            if byte == UInt8(ascii: "\"") { bytes.append(contentsOf: quote.utf8) } else { bytes.append(byte) }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
