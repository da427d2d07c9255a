/// A line that a container wrote.
public struct EngineLogLine: Sendable, Hashable {
    /// Whether it came from the standard error.
    public var isError: Bool
    /// Without its end of line; what is not UTF-8 is replaced, what is over 16 KiB is cut.
    public var text: String

    public init(isError: Bool, text: String) {
        self.isError = isError
        self.text = text
    }
}
