public import NIOCore

/// Takes the body of a successful answer while it arrives. A value: the client keeps it on the event loop meanwhile and
/// returns it at the end.
public protocol BodyConsumer: Sendable {
    /// The head of a successful answer has come. Called at most once, on the event loop, before any bytes.
    mutating func begin()

    /// The next bytes, in pieces of any size. Called on the event loop; no more are read until it returns.
    mutating func receive(_ bytes: ByteBuffer) -> BodyDecision
}

extension BodyConsumer {
    public mutating func begin() {}
}

/// What a consumer wants next.
public enum BodyDecision: Sendable, Hashable {
    case proceed
    /// Close the connection and return, as if the body had ended here.
    case stop
}
