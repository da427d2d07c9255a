public import Logging

/// Writes log messages to the systemd journal with their fields.
///
/// MESSAGE, PRIORITY, SYSLOG_IDENTIFIER, and SUPERVISOR_REQUEST_ID, SUPERVISOR_APP_ID, SUPERVISOR_CONTAINER_ID and
/// SUPERVISOR_SERVICE out of the metadata "request-id", "app-id", "container-id" and "service"; other metadata is
/// appended to MESSAGE as key=value.
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
        for (key, name) in LogText.fields {
            if let value = rest.removeValue(forKey: key) { fields.append((name, "\(value)")) }
        }
        var message = event.message.description
        LogText.append(rest, to: &message)
        journal.send(priority: LogText.priority(event.level), message: message, fields: fields)
    }
}
