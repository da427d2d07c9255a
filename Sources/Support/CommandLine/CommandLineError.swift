/// A command line that a program does not take.
public struct CommandLineError: Error, Hashable, Sendable {
    /// One line of what is wrong and one of where to look.
    public var message: String

    public init(_ message: String) {
        self.message = message
    }
}
