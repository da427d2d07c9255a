public import JSON

/// An operation of the plugin protocol: its name, and what goes in and comes out.
public protocol HostOperation: Sendable {
    /// Such as "led.blink".
    static var name: String { get }
    /// Whether a call whose outcome is unknown may be sent again.
    static var isIdempotent: Bool { get }
    /// How long a caller waits at most, whatever the manifest says; nil where only the manifest decides.
    static var timeLimit: Duration? { get }
    associatedtype Parameters: PluginPayload
    associatedtype Reply: PluginPayload
}

extension HostOperation {
    public static var timeLimit: Duration? { nil }
}

/// Parameters or result of an operation: a JSON object whose unknown members are ignored.
public protocol PluginPayload: Sendable {
    /// Throws `invalidArgument` that names the member.
    init(json: JSONObject) throws(PluginError)
    var json: JSONObject { get }
}

/// `{}`.
public struct EmptyPayload: PluginPayload, Hashable {
    public init() {}
    public init(json: JSONObject) throws(PluginError) {}
    public var json: JSONObject { [:] }
}

extension JSONObject {
    /// A required member that is a string.
    public func string(_ name: String) throws(PluginError) -> String {
        guard let value = self[name]?.stringValue else {
            throw PluginError(.invalidArgument, "\(name) is not a string")
        }
        return value
    }

    /// A required member that is a string of at most 512 bytes of printable ASCII, such as a name.
    public func plainString(_ name: String) throws(PluginError) -> String {
        _ = try string(name)
        guard let value = self[name]?.plainValue else {
            throw PluginError(.invalidArgument, "\(name) is not a string of at most 512 bytes of printable ASCII")
        }
        return value
    }

    /// A required member that is a whole number within bounds.
    public func integer(_ name: String, in range: ClosedRange<Int64>) throws(PluginError) -> Int64 {
        guard let value = self[name]?.integerValue, range.contains(value) else {
            throw PluginError(
                .invalidArgument,
                "\(name) is not a whole number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return value
    }

    /// A required member that is true or false.
    public func bool(_ name: String) throws(PluginError) -> Bool {
        guard let value = self[name]?.boolValue else {
            throw PluginError(.invalidArgument, "\(name) is neither true nor false")
        }
        return value
    }
}
