/// Why a call over the bus failed.
public struct BusError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The D-Bus name of the error, such as "org.freedesktop.DBus.Error.AccessDenied".
    public var name: String
    public var message: String

    public init(name: String, message: String) {
        self.name = name
        self.message = message
    }

    public var description: String { "\(message) (\(name))" }
}
