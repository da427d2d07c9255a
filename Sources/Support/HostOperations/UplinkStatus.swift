/// uplink.status: whether the device is registered with a remote service and connected to it.
public enum UplinkStatus: HostOperation {
    public static let name = "uplink.status"
    public static let isIdempotent = true
    public typealias Parameters = EmptyPayload
    public typealias Reply = UplinkState
}
