/// power.power-off: asks the host to power off; answered once the host has accepted. Never sent twice.
public enum PowerPowerOff: HostOperation {
    public static let name = "power.power-off"
    public static let isIdempotent = false
    public typealias Parameters = EmptyPayload
    public typealias Reply = EmptyPayload
}
