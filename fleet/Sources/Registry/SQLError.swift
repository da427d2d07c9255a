/// A statement or the database failed.
struct SQLError: Error, Sendable, Hashable, CustomStringConvertible {
    var message: String
    /// A value that must be unique is there already.
    var isConflict = false

    var description: String { "registry: \(message)" }
}
