/// Something that happened to the engine's event stream or to one of our containers.
public enum EngineEvent: Sendable, Hashable {
    /// The stream is up: whatever happened before must be listed.
    case connected
    /// `action` in the words of the engine: create, start, die, destroy, …; exitCode with die. The name is empty where the
    /// engine says none.
    case container(id: String, action: String, exitCode: Int?, labels: [String: String], name: String = "")
}
