import HostOperations
import JSON

/// The part of the host's configuration that the API shows and changes.
struct HostConfiguration: Sendable, Hashable {
    var proxy: ProxySettings?
    /// nil if nothing on this device provides it.
    var hostname: String?

    /// The default hostname of a device: the first 7 characters of its uuid.
    static func defaultHostname(uuid: String) -> String { String(uuid.prefix(7)) }

    /// The body of GET /v1/device/host-config, in the order of docs/api.md; the port is a string.
    var json: JSONValue {
        ["network": ["proxy": proxyJSON, "hostname": hostname.map(JSONValue.string) ?? .null]]
    }

    private var proxyJSON: JSONValue {
        guard let proxy else { return .null }
        var json: JSONObject = [
            "ip": .string(proxy.ip), "port": .string(String(proxy.port)), "type": .string(proxy.type.rawValue),
        ]
        if let login = proxy.login { json["login"] = .string(login) }
        if let password = proxy.password { json["password"] = .string(password) }
        if !proxy.noProxy.isEmpty { json["noProxy"] = .array(proxy.noProxy.map(JSONValue.string)) }
        if let dns = proxy.dns { json["dns"] = .string(dns) }
        return .object(json)
    }
}
