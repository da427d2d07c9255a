public import Logging

/// Writes log messages to the systemd journal with their fields.
///
/// These are MESSAGE, PRIORITY, SYSLOG_IDENTIFIER and the fields that `LogText.fields` makes of the metadata; the rest of
/// the metadata is appended to MESSAGE as key=value.
public struct JournalLogHandler: LogHandler {
    public var logLevel: Logger.Level
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?

    private let journal: JournalSocket

    public init(journal: JournalSocket, level: Logger.Level) {
        self.journal = journal
        logLevel = level
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var rest = LogText.metadata(of: event, under: metadata, metadataProvider)
        var fields: [(name: String, value: String)] = []
        for field in LogText.fields {
            guard let value = rest[field.key] else { continue }
            for name in field.names { fields.append((name, "\(value)")) }
            if !field.staysInMessage { rest[field.key] = nil }
        }
        var message = event.message.description
        LogText.append(rest, to: &message)
        journal.send(priority: LogText.priority(event.level), message: message, fields: fields)
    }
}
