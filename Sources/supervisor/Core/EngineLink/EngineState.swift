/// Whether the engine answers.
enum EngineState: Sendable {
    case away(since: Duration, reason: String)
    case connected(since: Duration, EngineInformation)
}
