/// Why a call over the bus failed.
public struct BusError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The D-Bus name of the error, such as "org.freedesktop.DBus.Error.AccessDenied".
    public var name: String
    public var message: String
    /// Whether the request was sent and may have been carried out. False for every refusal, and for a bus or a service
    /// that could not be reached.
    public var mayHaveBeenDone: Bool

    public init(name: String, message: String, mayHaveBeenDone: Bool = false) {
        self.name = name
        self.message = message
        self.mayHaveBeenDone = mayHaveBeenDone
    }

    public var description: String { "\(message) (\(name))" }
}

/// Names from the D-Bus specification, "Message Bus", and of systemd.
extension BusError {
    public static let accessDenied = "org.freedesktop.DBus.Error.AccessDenied"
    public static let interactiveAuthorizationRequired =
        "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
    public static let authFailed = "org.freedesktop.DBus.Error.AuthFailed"
    public static let serviceUnknown = "org.freedesktop.DBus.Error.ServiceUnknown"
    public static let nameHasNoOwner = "org.freedesktop.DBus.Error.NameHasNoOwner"
    public static let noServer = "org.freedesktop.DBus.Error.NoServer"
    public static let disconnected = "org.freedesktop.DBus.Error.Disconnected"
    public static let fileNotFound = "org.freedesktop.DBus.Error.FileNotFound"
    public static let noReply = "org.freedesktop.DBus.Error.NoReply"
    public static let timeout = "org.freedesktop.DBus.Error.Timeout"
    public static let timedOut = "org.freedesktop.DBus.Error.TimedOut"
    public static let invalidArgs = "org.freedesktop.DBus.Error.InvalidArgs"
    public static let noMemory = "org.freedesktop.DBus.Error.NoMemory"
    /// An answer of another type than the interface promises.
    public static let invalidSignature = "org.freedesktop.DBus.Error.InvalidSignature"
    /// Of ours: the task was cancelled while it waited.
    public static let cancelled = "io.supervisor.Error.Cancelled"
}
