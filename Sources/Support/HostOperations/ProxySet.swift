/// proxy.set: sends the host's traffic through a proxy. Returns when the new settings are in force; the former ones are in
/// force again when it fails. Settings that are set already restart nothing.
public enum ProxySet: HostOperation {
    public static let name = "proxy.set"
    public static let isIdempotent = true
    public typealias Parameters = ProxySettings
    public typealias Reply = EmptyPayload
}
