/// proxy.clear: sends the host's traffic through no proxy.
public enum ProxyClear: HostOperation {
    public static let name = "proxy.clear"
    public static let isIdempotent = true
    public typealias Parameters = EmptyPayload
    public typealias Reply = EmptyPayload
}
