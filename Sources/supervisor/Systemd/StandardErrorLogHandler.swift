public import Logging

/// Writes one line per message to a `LineSink`.
///
/// Under a service manager, or into a file, with the "<N>" prefix of sd-daemon(3); on a terminal with the level as a
/// word. The time is not added: the journal adds it, and so do other log collectors.
public struct StandardErrorLogHandler: LogHandler {
    public var logLevel: Logger.Level
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?

    private let sink: LineSink

    public init(sink: LineSink, level: Logger.Level) {
        self.sink = sink
        logLevel = level
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var text = event.message.description
        LogText.append(LogText.metadata(of: event, under: metadata, metadataProvider), to: &text)
        sink.write(text, level: event.level)
    }
}
