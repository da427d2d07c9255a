import HostOperations
import JSON
import LinuxSupport

/// What PATCH /v1/device/host-config asks for: a JSON merge over what is set.
///
/// What is absent stays. In `proxy` a given field replaces that field and null removes it; `proxy` null or {} is no proxy,
/// and so is a proxy of which nothing is left. An unknown member of `network` or `proxy` is an error: its writer meant
/// something by it.
/// `hostname` null or "" is the device's default. A value that exists is valid by itself, whatever it is merged into.
struct HostConfigurationPatch: Sendable, Hashable {
    enum Proxy: Sendable, Hashable {
        case unchanged
        case none
        /// Known members only; null removes.
        case merged(JSONObject)
    }

    enum Name: Sendable, Hashable {
        case unchanged
        case standard
        case given(String)
    }

    var proxy = Proxy.unchanged
    var hostname = Name.unchanged

    private static let members = ["ip", "port", "type", "login", "password", "noProxy", "dns"]

    /// Throws `invalidArgument` that names the field and never shows a value.
    init(_ body: JSONObject) throws(SupervisorError) {
        guard let network = body["network"] else { return }
        guard let network = network.objectValue else { throw Self.error("network", "an object") }
        try Self.refuseUnknown(in: network, "network", ["proxy", "hostname"])
        if let value = network["proxy"] { proxy = try Self.proxy(value) }
        if let value = network["hostname"] { hostname = try Self.hostname(value) }
    }

    // MARK: Reading

    private static func hostname(_ value: JSONValue) throws(SupervisorError) -> Name {
        if value.isNull || value.stringValue?.isEmpty == true { return .standard }
        guard let text = value.stringValue, let hostname = Hostname(text) else {
            throw error("network.hostname", Hostname.allowed)
        }
        return .given(hostname.text)
    }

    /// Names the member as far as it is short and plain: it comes from outside.
    private static func refuseUnknown(
        in object: JSONObject,
        _ path: String,
        _ known: [String]
    ) throws(SupervisorError) {
        for member in object where !known.contains(where: { $0.utf8.elementsEqual(member.name.utf8) }) {
            let name = String(
                decoding: member.name.utf8.prefix(64).map { (0x20..<0x7F).contains($0) ? $0 : 0x3F },
                as: UTF8.self
            )
            let list = known.joined(separator: ", ")
            throw SupervisorError(.invalidArgument, "\(path).\(name) is unknown, allowed: \(list)")
        }
    }

    private static func proxy(_ value: JSONValue) throws(SupervisorError) -> Proxy {
        if value.isNull { return .none }
        guard let object = value.objectValue else { throw error("network.proxy", "an object or null") }
        if object.isEmpty { return .none }
        try refuseUnknown(in: object, "network.proxy", members)
        var patch: JSONObject = [:]
        for name in members {
            guard let value = object[name] else { continue }
            switch name {
            case "port": patch[name] = try port(value)
            // No resolver is none, whether there is a proxy or not.
            case "dns": patch[name] = value.boolValue == false ? .null : value
            default: patch[name] = value
            }
        }
        // Any valid proxy shows what is wrong with a field by itself.
        let sample: JSONObject = ["type": "socks5", "ip": "192.0.2.1", "port": 1080]
        _ = try settings(sample.merging(patch, removing: false))
        return .merged(patch)
    }

    /// A number, whichever way it is written.
    private static func port(_ value: JSONValue) throws(SupervisorError) -> JSONValue {
        if let number = value.integerValue, (1...65535).contains(number) { return .integer(number) }
        switch value {
        case .null: return .null
        case .string(let text):
            let digits = text.utf8
            guard (1...5).contains(digits.count), digits.first != UInt8(ascii: "0"),
                digits.isDecimal,
                let number = Int64(text), (1...65535).contains(number)
            else { fallthrough }
            return .integer(number)
        default:
            throw error("network.proxy.port", "1 to 65535 in plain decimal")
        }
    }

    // MARK: Merging

    /// Throws `invalidArgument` where the result is no whole proxy.
    func proxy(after current: ProxySettings?) throws(SupervisorError) -> ProxySettings? {
        switch proxy {
        case .unchanged: return current
        case .none: return nil
        case .merged(let patch):
            let merged = (current?.json ?? [:]).merging(patch, removing: true)
            if merged.isEmpty { return nil }
            for name in ["type", "ip", "port"] where merged[name] == nil {
                throw SupervisorError(.invalidArgument, "network.proxy.\(name) is missing")
            }
            return try Self.settings(merged)
        }
    }

    func hostname(after current: String, standard: String) -> String {
        switch hostname {
        case .unchanged: current
        case .standard: standard
        case .given(let name): name
        }
    }

    private static func settings(_ json: JSONObject) throws(SupervisorError) -> ProxySettings {
        do throws(PluginError) {
            return try ProxySettings(json: json)
        } catch {
            throw SupervisorError(.invalidArgument, "network.proxy.\(error.message)")
        }
    }

    private static func error(_ field: String, _ allowed: String) -> SupervisorError {
        SupervisorError(.invalidArgument, "\(field) is wrong, allowed: \(allowed)")
    }
}

extension JSONObject {
    /// These members with the ones of `patch` over them. A null takes a member away, or is left out.
    fileprivate func merging(_ patch: JSONObject, removing: Bool) -> JSONObject {
        var result = self
        for member in patch {
            if !member.value.isNull {
                result[member.name] = member.value
            } else if removing {
                result[member.name] = nil
            }
        }
        return result
    }
}
