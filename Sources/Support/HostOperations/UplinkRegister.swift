/// uplink.register: registers the device with the configured service now, also after uplink.disconnect. Replies with the
/// state once that has succeeded; fails with the service's reason.
public enum UplinkRegister: HostOperation {
    public static let name = "uplink.register"
    public static let isIdempotent = true
    public typealias Parameters = EmptyPayload
    public typealias Reply = UplinkState
}
