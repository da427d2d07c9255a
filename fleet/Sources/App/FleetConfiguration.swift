import Foundation
import UnitFile

/// The configuration of the service: `fleet.conf` and the drop-ins in `fleet.conf.d`.
struct FleetConfiguration: Sendable {
    struct Address: Sendable, Hashable, CustomStringConvertible {
        var host: String
        var port: Int

        var isLoopback: Bool { host == "127.0.0.1" || host == "::1" }
        var description: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)" }
    }

    struct Certificate: Sendable, Hashable {
        var chain: String
        var key: String
    }

    static let searchPath = UnitSearchPath([
        "/etc/supervisor-fleet", "/run/supervisor-fleet", "/usr/local/lib/supervisor-fleet",
        "/usr/lib/supervisor-fleet",
    ])
    private static let keys: [String: Set<String>] = [
        "Fleet": ["StateDirectory", "PageDirectory"],
        "HTTP": [
            "Listen", "Certificate", "Key", "MaxConnections", "RequestsPerSec", "TrustedProxies", "CommandTimeoutSec",
        ],
        "NATS": ["Servers", "Listen", "WebSocketListen", "Certificate", "Key", "Advertise", "Program"],
    ]

    var stateDirectory = "/var/lib/supervisor-fleet"
    /// The files of the page.
    var pageDirectory = "/usr/share/supervisor-fleet/page"
    var listen = Address(host: "127.0.0.1", port: 8420)
    var certificate: Certificate?
    var maxConnections = 10_000
    /// For each token and device.
    var requestsPerSecond = 1000
    /// How long a device has to answer a command, in milliseconds.
    var commandTimeout: Int64 = 50_000
    /// Addresses whose `X-Forwarded-For` is believed.
    var trustedProxies: [String] = ["127.0.0.1", "::1"]
    /// Servers of a bus of yours; empty: the service starts one.
    var busServers: [String] = []
    var busListen = Address(host: "127.0.0.1", port: 8422)
    var busWebSocketListen: Address?
    var busCertificate: Certificate?
    /// The addresses that devices are given.
    var busAdvertised: [String] = []
    var busProgram = "/usr/sbin/nats-server"
    /// Unknown keys, to be logged.
    var warnings: [String] = []

    /// - Parameter file: replaces the search path; only it and the drop-ins in `FILE.d` are read.
    static func load(file: String?) throws(UnitFileError) -> FleetConfiguration {
        guard let file else { return try FleetConfiguration(searchPath.configuration(named: "fleet.conf")) }
        guard FileManager.default.isReadableFile(atPath: file) else {
            throw UnitFileError(.unreadable, file: file, reason: "cannot be read")
        }
        let url = URL(fileURLWithPath: file)
        let path = UnitSearchPath([url.deletingLastPathComponent().path])
        return try FleetConfiguration(path.configuration(named: url.lastPathComponent))
    }

    init(_ file: UnitFile) throws(UnitFileError) {
        if let value = file.last("StateDirectory", in: "Fleet") { stateDirectory = try Self.path(value) }
        if let value = file.last("PageDirectory", in: "Fleet") { pageDirectory = try Self.path(value) }
        if let value = file.last("Listen", in: "HTTP") { listen = try Self.address(value) }
        certificate = try Self.certificate(in: "HTTP", of: file)
        if let value = file.last("MaxConnections", in: "HTTP") { maxConnections = try value.integer(in: 8...1_000_000) }
        if let value = file.last("RequestsPerSec", in: "HTTP") {
            requestsPerSecond = try value.integer(in: 1...1_000_000)
        }
        if let value = file.last("CommandTimeoutSec", in: "HTTP") {
            commandTimeout = try Int64(value.duration(in: .seconds(1)...(.seconds(50))) / .milliseconds(1))
        }
        if let values = file.all("TrustedProxies", in: "HTTP") {
            trustedProxies = []
            for value in values { trustedProxies += try value.words() }
        }
        for value in file.all("Servers", in: "NATS") ?? [] { busServers += try value.words() }
        if let value = file.last("Listen", in: "NATS") { busListen = try Self.address(value) }
        if let value = file.last("WebSocketListen", in: "NATS") { busWebSocketListen = try Self.address(value) }
        busCertificate = try Self.certificate(in: "NATS", of: file)
        for value in file.all("Advertise", in: "NATS") ?? [] { busAdvertised += try value.words() }
        if let value = file.last("Program", in: "NATS") { busProgram = try Self.path(value) }
        for header in file.headers where Self.keys[header.section] == nil {
            warnings.append("\(header.location): unknown section [\(header.section)]")
        }
        for assignment in file.assignments where Self.keys[assignment.section]?.contains(assignment.key) == false {
            warnings.append("\(assignment.location): unknown key [\(assignment.section)] \(assignment.key)")
        }
        restrictToLoopback()
    }

    /// Without certificates what is said is in clear text, so it stays on this machine whatever the file says.
    private mutating func restrictToLoopback() {
        if certificate == nil, !listen.isLoopback {
            warnings.append("[HTTP] Listen=\(listen): without Certificate= the service listens on 127.0.0.1 only")
            listen.host = "127.0.0.1"
        }
        guard busCertificate == nil else { return }
        if !busListen.isLoopback {
            warnings.append("[NATS] Listen=\(busListen): without Certificate= the bus listens on 127.0.0.1 only")
            busListen.host = "127.0.0.1"
        }
        if let address = busWebSocketListen, !address.isLoopback {
            warnings.append("[NATS] WebSocketListen=\(address): without Certificate= the bus listens on 127.0.0.1 only")
            busWebSocketListen?.host = "127.0.0.1"
        }
    }

    /// What devices are given as the addresses of the bus.
    var advertised: [String] {
        if !busAdvertised.isEmpty { return busAdvertised }
        if !busServers.isEmpty { return busServers }
        let scheme = busCertificate == nil ? "nats" : "tls"
        return ["\(scheme)://\(busListen)"]
    }

    private static func path(_ value: UnitFile.Assignment) throws(UnitFileError) -> String {
        guard value.text.utf8.first == UInt8(ascii: "/"), value.text.utf8.count <= 1024 else {
            throw value.error("\(value.shown) is not an absolute path", allowed: "a path that begins with /")
        }
        return value.text
    }

    private static func address(_ value: UnitFile.Assignment) throws(UnitFileError) -> Address {
        let allowed = "ADDRESS:PORT, such as 127.0.0.1:8420 or [::]:443"
        guard let colon = value.text.utf8.lastIndex(of: UInt8(ascii: ":")),
            let port = Int(value.text[value.text.utf8.index(after: colon)...]), (1...65535).contains(port)
        else { throw value.error("\(value.shown) has no port", allowed: allowed) }
        var host = String(value.text[..<colon])
        if host.utf8.first == UInt8(ascii: "["), host.utf8.last == UInt8(ascii: "]") {
            host = String(host.dropFirst().dropLast())
        }
        guard !host.isEmpty, host.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != 0x22 && $0 != 0x5C }) else {
            throw value.error("\(value.shown) has no address", allowed: allowed)
        }
        return Address(host: host, port: port)
    }

    private static func certificate(in section: String, of file: UnitFile) throws(UnitFileError) -> Certificate? {
        switch (file.last("Certificate", in: section), file.last("Key", in: section)) {
        case (nil, nil): return nil
        case (let chain?, let key?): return Certificate(chain: try path(chain), key: try path(key))
        case (let one?, nil), (nil, let one?):
            throw one.error("Certificate and Key belong together", allowed: "both or neither")
        }
    }
}
