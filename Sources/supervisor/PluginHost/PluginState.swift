/// What a plugin does, as the core sees it.
public enum PluginState: String, Sendable, Hashable {
    case masked, unmatched, invalid, absent, idle, starting, ready, draining
    case backingOff = "backing-off"
    case tripped
}
