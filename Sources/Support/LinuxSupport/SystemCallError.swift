public import Glibc

/// A system call that failed, with the path it was about.
public struct SystemCallError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The call's name, such as "rename".
    public var call: String
    public var path: String
    /// errno(3).
    public var code: Int32

    public init(_ call: String, _ path: String, code: Int32 = errno) {
        self.call = call
        self.path = path
        self.code = code
    }

    /// What errno(3) means, such as "No space left on device".
    public var reason: String { String(cString: strerror(code)) }

    public var description: String { "\(call) \(path): \(reason)" }
}
