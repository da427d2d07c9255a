public import JSON

/// hostname.get: the host's static hostname; empty where none is set.
public enum HostnameGet: HostOperation {
    public static let name = "hostname.get"
    public static let isIdempotent = true
    public typealias Parameters = EmptyPayload
    public typealias Reply = HostnamePayload
}

/// `{"hostname":"…"}`
public struct HostnamePayload: PluginPayload, Hashable {
    public var hostname: String

    public init(hostname: String) {
        self.hostname = hostname
    }

    public init(json: JSONObject) throws(PluginError) {
        hostname = try json.plainString("hostname")
    }

    public var json: JSONObject { ["hostname": .string(hostname)] }
}
