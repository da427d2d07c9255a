/// Why a text is no key or no JWT of NATS. Never holds the text, which may be a secret.
public struct NKeyError: Error, Sendable, Hashable, CustomStringConvertible {
    public let message: String

    init(_ message: String) {
        self.message = message
    }

    public var description: String { message }
}
