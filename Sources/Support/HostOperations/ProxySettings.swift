public import JSON
import LinuxSupport

/// A transparent proxy. Every value of this type is valid: its initialisers check it, so that nothing else ever reaches
/// redsocks.conf.
public struct ProxySettings: PluginPayload, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case socks4, socks5
        case httpConnect = "http-connect"
        case httpRelay = "http-relay"
    }

    public let type: Kind
    /// A host name, in which underscores are allowed as well, or an IPv4 address of four plain decimals.
    public let ip: String
    public let port: UInt16
    /// At most 255 bytes, free of control characters. A secret like the password.
    public let login: String?
    public let password: String?
    /// IPv4 addresses and subnets (`a.b.c.d/n`) that are reached directly.
    public let noProxy: [String]
    /// The resolver that DNS queries are sent to over TCP through the proxy, `a.b.c.d:port`; nil for none.
    public let dns: String?

    /// What `dns` true stands for.
    public static let standardResolver = "8.8.8.8:53"

    /// Throws `invalidArgument` that names the member and says what is allowed, and never shows a value.
    public init(
        type: String,
        ip: String,
        port: Int64,
        login: String? = nil,
        password: String? = nil,
        noProxy: [String] = [],
        dns: String? = nil
    ) throws(PluginError) {
        guard let kind = Kind.allCases.first(where: { $0.rawValue.utf8.elementsEqual(type.utf8) }) else {
            throw Self.error("type", "one of \(Kind.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        guard Self.isHost(ip) else {
            throw Self.error("ip", "a host name, or an IPv4 address of four decimal numbers without leading zeros")
        }
        guard (1...65535).contains(port) else { throw Self.error("port", "1 to 65535") }
        try Self.check(login, "login")
        try Self.check(password, "password")
        guard noProxy.count <= Self.maximumExceptions else {
            throw Self.error("noProxy", "at most \(Self.maximumExceptions) addresses")
        }
        for (index, exception) in noProxy.enumerated() where !IPv4Network.isValid(exception) {
            throw Self.error("noProxy[\(index)]", "an IPv4 address, or a subnet such as 10.0.0.0/8")
        }
        if let dns, !Self.isResolver(dns) { throw Self.error("dns", Self.allowedResolvers) }
        self.type = kind
        self.ip = ip
        self.port = UInt16(port)
        self.login = login
        self.password = password
        self.noProxy = noProxy
        self.dns = dns
    }

    /// `port` is a number.
    public init(json: JSONObject) throws(PluginError) {
        var exceptions: [String] = []
        if let noProxy = json["noProxy"], !noProxy.isNull {
            guard let array = noProxy.arrayValue else { throw Self.error("noProxy", "an array of strings") }
            for (index, element) in array.enumerated() {
                guard let text = element.stringValue else { throw Self.error("noProxy[\(index)]", "a string") }
                exceptions.append(text)
            }
        }
        try self.init(
            type: try json.string("type"),
            ip: try json.string("ip"),
            port: try json.integer("port", in: 1...65535),
            login: try Self.optional("login", json),
            password: try Self.optional("password", json),
            noProxy: exceptions,
            dns: try Self.resolver(json["dns"])
        )
    }

    public var json: JSONObject {
        var json: JSONObject = ["type": .string(type.rawValue), "ip": .string(ip), "port": .integer(Int64(port))]
        if let login { json["login"] = .string(login) }
        if let password { json["password"] = .string(password) }
        if !noProxy.isEmpty { json["noProxy"] = .array(noProxy.map(JSONValue.string)) }
        if let dns { json["dns"] = .string(dns) }
        return json
    }

    // MARK: Checks

    /// More than any firewall should have rules for.
    public static let maximumExceptions = 1024
    /// What redsocks takes for punctuation even in quotes.
    private static let inexpressible: Set<String> = ["{", "}", "=", ";", "//", "/*"]

    private static func optional(_ name: String, _ json: JSONObject) throws(PluginError) -> String? {
        switch json[name] {
        case nil, .null?: return nil
        case .string(let text)?: return text
        default: throw error(name, "a string")
        }
    }

    private static func check(_ secret: String?, _ name: String) throws(PluginError) {
        guard let secret else { return }
        guard (1...255).contains(secret.utf8.count),
            secret.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
        else {
            throw error(name, "1 to 255 bytes without control characters")
        }
        guard !inexpressible.contains(secret) else {
            throw error(name, "anything but one of { } = ; // /* alone, which redsocks cannot express")
        }
    }

    private static let allowedResolvers =
        "true, false, or the IPv4 address and the port of a resolver, such as 8.8.8.8:53"

    private static func resolver(_ value: JSONValue?) throws(PluginError) -> String? {
        switch value {
        case nil, .null?, .bool(false)?: return nil
        case .bool(true)?: return standardResolver
        case .string(let text)?: return text
        default: throw error("dns", allowedResolvers)
        }
    }

    private static func isResolver(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count == 2, IPv4Network.isAddress(String(Substring(parts[0]))), (1...5).contains(parts[1].count),
            parts[1].first != UInt8(ascii: "0"), parts[1].allSatisfy(\.isASCIIDigit),
            let port = Int(Substring(parts[1]))
        else { return false }
        return (1...65535).contains(port)
    }

    private static func isHost(_ text: String) -> Bool {
        guard text.utf8.count <= Hostname.maximumLength else { return false }
        // A text of digits and dots is meant as an address, and inet_aton accepts many that are not one.
        let isNumeric = text.utf8.allSatisfy { $0 == UInt8(ascii: ".") || $0.isASCIIDigit }
        if isNumeric { return IPv4Network.isAddress(text) }
        // Names of hosts inside of companies have underscores, whatever RFC 1123 says, and resolvers take them.
        let plain = String(decoding: text.utf8.map { $0 == UInt8(ascii: "_") ? UInt8(ascii: "a") : $0 }, as: UTF8.self)
        guard Hostname.isValid(plain), let last = text.utf8.split(separator: UInt8(ascii: ".")).last else {
            return false
        }
        // RFC 1123: the highest label is alphabetic, which keeps out 0x7f.1 and 1.2.3.0x4 too.
        return last.first.map { !$0.isASCIIDigit } ?? false
    }

    private static func error(_ member: String, _ allowed: String) -> PluginError {
        PluginError(.invalidArgument, "\(member) is wrong, allowed: \(allowed)")
    }
}
