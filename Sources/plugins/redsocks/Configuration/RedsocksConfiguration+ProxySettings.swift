import LinuxSupport
import SupervisorPluginAPI

extension RedsocksConfiguration {
    /// Where redsocks takes connections; the rules that send traffic into it rely on the port.
    static let localPort = "12345"
    /// Where redsocks takes DNS queries; the rules rely on it, too.
    static let localDNSPort = "12346"

    /// The file for a proxy.
    ///
    /// `base` is ours: in the foreground, for a unit of Type=exec; messages to standard error and so to the journal, without
    /// a line per connection; and redsocks runs as `user` and `group`, which does nothing where it is that user already.
    /// It listens on all addresses because bridges of containers redirect to their own; keeping others out is the
    /// firewall's part.
    ///
    /// Of the `former` file, keys that we never set are kept, and so is every section that is not ours.
    init(_ settings: ProxySettings, user: String, group: String, former: RedsocksConfiguration? = nil) {
        var base = [
            Entry("log_debug", "off"), Entry("log_info", "off"), Entry("log", "stderr"), Entry("daemon", "off"),
            Entry("redirector", "iptables"),
        ]
        if !user.isEmpty { base.append(Entry("user", user)) }
        if !group.isEmpty { base.append(Entry("group", group)) }
        var redsocks = [
            Entry("local_ip", "0.0.0.0"), Entry("local_port", Self.localPort), Entry("ip", settings.ip),
            Entry("port", "\(settings.port)"), Entry("type", settings.type.rawValue),
        ]
        if let login = settings.login { redsocks.append(Entry("login", login)) }
        if let password = settings.password { redsocks.append(Entry("password", password)) }
        if let hand = former?.sections.first(where: { $0.name == "base" }) {
            base += hand.entries.filter { !Self.baseKeys.contains($0.key) }
        }
        if let hand = former?.section(of: "redsocks", on: Self.localPort) {
            redsocks += hand.entries.filter { !Self.redsocksKeys.contains($0.key) }
        }
        var sections = [Section(name: "base", entries: base), Section(name: "redsocks", entries: redsocks)]
        if let dns = settings.dns { sections.append(Self.dnsSection(dns)) }
        self.init(sections)
    }

    private static let baseKeys: Set<String> = [
        "log_debug", "log_info", "log", "daemon", "redirector", "user", "group",
    ]
    private static let redsocksKeys: Set<String> = [
        "local_ip", "local_port", "ip", "port", "type", "login", "password",
    ]

    private static func dnsSection(_ resolver: String) -> Section {
        let parts = resolver.utf8.split(separator: UInt8(ascii: ":")).map { String(Substring($0)) }
        return Section(
            name: "dnsu2t",
            entries: [
                Entry("local_ip", "0.0.0.0"), Entry("local_port", localDNSPort), Entry("remote_ip", parts[0]),
                Entry("remote_port", parts[1]),
            ]
        )
    }

    /// Nothing but what shows whether redsocks knows the section for DNS: all else in it is known to every version.
    static var dnsProbe: [UInt8] {
        let base = Section(name: "base", entries: [Entry("log", "stderr"), Entry("redirector", "iptables")])
        return RedsocksConfiguration([base, dnsSection(ProxySettings.standardResolver)]).encoded
    }

    /// Sections of the file that are not ours, as they stand there.
    var foreign: [UInt8] {
        let ours = [section(of: "redsocks", on: Self.localPort), section(of: "dnsu2t", on: Self.localDNSPort)]
        return sections.filter { $0.name != "base" && !ours.contains($0) }.flatMap { $0.text + [UInt8(ascii: "\n")] }
    }

    /// Of several sections of that name the one with our port, else the first.
    private func section(of name: String, on port: String) -> Section? {
        let candidates = sections.filter { $0.name == name }
        return candidates.first { $0.entry("local_port")?.value == Array(port.utf8) } ?? candidates.first
    }

    /// Why a valid file does not describe a proxy that we support.
    struct MismatchError: Error, Hashable, CustomStringConvertible {
        var line: Int
        /// Shows no value.
        var reason: String
        var description: String { "line \(line): \(reason)" }
    }

    /// The proxy that the file describes, nil where it has no section `redsocks`. Of several it is the one with our port,
    /// else the first.
    func settings(noProxy: [String]) throws(MismatchError) -> ProxySettings? {
        guard let section = section(of: "redsocks", on: Self.localPort) else { return nil }
        let type = try section.required("type")
        let ip = try section.required("ip")
        let portEntry = section.entry("port")
        guard let portEntry, let port = Self.number(portEntry.value) else {
            throw MismatchError(line: portEntry?.line ?? section.line, reason: "port is not a number")
        }
        // Without a value redsocks uses none, too.
        let login = try section.text("login").flatMap { $0.isEmpty ? nil : $0 }
        let password = try section.text("password").flatMap { $0.isEmpty ? nil : $0 }
        var dns: String?
        if let section = self.section(of: "dnsu2t", on: Self.localDNSPort) {
            dns = "\(try section.required("remote_ip")):\(try section.required("remote_port"))"
        }
        do throws(PluginError) {
            return try ProxySettings(
                type: type,
                ip: ip,
                port: port,
                login: login,
                password: password,
                noProxy: noProxy,
                dns: dns
            )
        } catch {
            // The message begins with the member's name, which is the key's, too.
            let key = error.message.utf8.prefix { $0 != UInt8(ascii: " ") }
            let line = section.entry(String(Substring(key)))?.line ?? section.line
            throw MismatchError(line: line, reason: error.message)
        }
    }

    /// As strtoul(3) with base 0 reads a port: 0x… is hexadecimal, 0… octal.
    static func number(_ text: [UInt8]) -> Int64? {
        let word = String(decoding: text, as: UTF8.self)
        guard word.utf8.allSatisfy({ $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: "+") }) else { return nil }
        if word.begins(with: "0x") || word.begins(with: "0X") {
            return Int64(Substring(word.utf8.dropFirst(2)), radix: 16)
        }
        return Int64(word, radix: word.begins(with: "0") ? 8 : 10)
    }
}

extension RedsocksConfiguration.Section {
    fileprivate func text(_ key: String) throws(RedsocksConfiguration.MismatchError) -> String? {
        guard let entry = entry(key) else { return nil }
        guard let text = String(validating: entry.value, as: UTF8.self) else {
            throw RedsocksConfiguration.MismatchError(line: entry.line, reason: "\(key) is not UTF-8")
        }
        return text
    }

    fileprivate func required(_ key: String) throws(RedsocksConfiguration.MismatchError) -> String {
        guard let text = try text(key) else {
            throw RedsocksConfiguration.MismatchError(line: line, reason: "the section has no \(key)")
        }
        return text
    }
}
