/// Why a worker did not take a job.
public struct WorkerError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: Sendable, Hashable {
        /// Too many jobs are unfinished; a later attempt may succeed.
        case full
        /// The worker takes no more jobs.
        case finished
    }

    public var code: Code
    /// One line for people.
    public var description: String

    public init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
