public import HostOperations

/// plugin.shutdown: the last call. The plugin takes no further calls, finishes those under way, answers and exits.
public enum PluginShutdown: HostOperation {
    public static let name = "plugin.shutdown"
    public static let isIdempotent = true
    public typealias Parameters = EmptyPayload
    public typealias Reply = EmptyPayload
}
