/// How long the engine may take. A board with a slow card and several starting containers needs the most of it.
public struct EngineTimeouts: Sendable, Hashable {
    /// For what only reads.
    public var query: Duration = .seconds(30)
    /// For create, start and removals.
    public var change: Duration = .seconds(120)
    /// On top of the stop time-out of the container: the engine still waits for the kill, and unmounts.
    public var stopMargin: Duration = .seconds(30)
    /// How long a download may be silent, from the request on. Docker says something every second even while it waits
    /// to try again, and gives up by itself after five attempts.
    public var pullSilence: Duration = .seconds(120)

    public init() {}
}
