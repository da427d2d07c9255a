/// proxy.set: sends the host's traffic through a proxy. Returns when the new settings are in effect; if it fails, the
/// former ones are in effect again. If nothing changes, nothing is restarted.
public enum ProxySet: HostOperation {
    public static let name = "proxy.set"
    public static let isIdempotent = true
    public typealias Parameters = ProxySettings
    public typealias Reply = EmptyPayload
}
