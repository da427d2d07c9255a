/// Tells a service whose process keeps dying from one that died once.
public struct CrashTracker: Sendable, Hashable {
    /// So many deaths within `window` make a loop.
    static let threshold = 3
    static let window: Duration = .seconds(60)

    private var deaths: [ServiceKey: [Duration]] = [:]
    private var exitCodes: [ServiceKey: Int] = [:]

    public init() {}

    /// A process ended that nobody had asked to end.
    public mutating func died(_ key: ServiceKey, exitCode: Int?, at now: Duration) {
        var times = deaths[key, default: []].filter { now - $0 < Self.window }
        times.append(now)
        deaths[key] = times.suffix(Self.threshold)
        exitCodes[key] = exitCode
    }

    /// Its container was made anew or stopped by us.
    public mutating func forget(_ key: ServiceKey) {
        deaths[key] = nil
        exitCodes[key] = nil
    }

    public func isLooping(_ key: ServiceKey, at now: Duration) -> Bool {
        deaths[key, default: []].count { now - $0 < Self.window } >= Self.threshold
    }

    /// Of the last death.
    public func exitCode(of key: ServiceKey) -> Int? { exitCodes[key] }
}
