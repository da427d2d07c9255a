/// hostname.set: sets the host's static hostname, which outlives the boot. The name is one of `Hostname`.
public enum HostnameSet: HostOperation {
    public static let name = "hostname.set"
    public static let isIdempotent = true
    public typealias Parameters = HostnamePayload
    public typealias Reply = EmptyPayload
}
