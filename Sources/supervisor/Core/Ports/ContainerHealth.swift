/// What the HEALTHCHECK of a container's image says.
public enum ContainerHealth: String, Sendable, Hashable {
    /// There is no check, or the container does not run.
    case none
    /// No check has succeeded yet, and not enough have failed.
    case starting
    case healthy
    case unhealthy
}
