/// State of a container, in the words of the Docker Engine API.
public enum ContainerState: String, Sendable, Hashable {
    case created, running, paused, restarting, removing, exited, dead

    /// Whether an update lock of the container counts: there is a process, or the engine is about to start one.
    public var isAlive: Bool { self == .running || self == .paused || self == .restarting }
}
