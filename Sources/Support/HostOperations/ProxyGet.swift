public import JSON

/// proxy.get: the transparent proxy that is set; `{}` where none is.
public enum ProxyGet: HostOperation {
    public static let name = "proxy.get"
    public static let isIdempotent = true
    public typealias Parameters = EmptyPayload

    public struct Reply: PluginPayload, Hashable {
        public var proxy: ProxySettings?

        public init(proxy: ProxySettings?) {
            self.proxy = proxy
        }

        public init(json: JSONObject) throws(PluginError) {
            proxy = json["type"] == nil ? nil : try ProxySettings(json: json)
        }

        public var json: JSONObject { proxy?.json ?? [:] }
    }
}
