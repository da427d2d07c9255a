/// uplink.disconnect: leaves the service until uplink.register. What runs goes on.
public enum UplinkDisconnect: HostOperation {
    public static let name = "uplink.disconnect"
    public static let isIdempotent = true
    public typealias Parameters = EmptyPayload
    public typealias Reply = UplinkState
}
