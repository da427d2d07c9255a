/// power.reboot: asks the host to reboot; answered once the host has accepted. Never sent twice.
public enum PowerReboot: HostOperation {
    public static let name = "power.reboot"
    public static let isIdempotent = false
    public typealias Parameters = EmptyPayload
    public typealias Reply = EmptyPayload
}
