/// What a shell may complete a value with.
public enum ValueKind: Sendable, Hashable {
    /// A number or name among `apps` of `superctl status --json`.
    case application
    /// One of these words.
    case choice([String])
    /// The name of a command of this program.
    case command
    case file
    /// Nothing to choose from.
    case json
    /// Among `provides` of `superctl plugins --json`.
    case operation
    /// The name of a service of the application that is named before it.
    case service
    /// Nothing to choose from.
    case text
}
