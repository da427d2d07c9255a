import LinuxSupport
import SupervisorCore
import UnitFile

/// Turns the contents of configuration files into a `Configuration`.
///
/// A key without a value has its default, as in systemd's own files; a list is emptied by that.
struct ConfigurationReader {
    private let file: UnitFile
    private let defaults: ConfigurationDefaults

    /// The keys of each section that there is.
    static let keys: [String: Set<String>] = [
        "Supervisor": ["StateDirectory", "RuntimeDirectory"],
        "Device": ["DeviceType", "UUID"],
        "API": ["Port", "Interfaces", "MaxConnections", "PingRequiresKey", "UplinkUser", "ReportedVersion"],
        "Engine": ["Socket"],
        "Applications": ["Target", "CloudTarget", "DataDirectory", "LockDirectory", "PollIntervalSec"],
        "Plugins": ["SearchPath"],
        "Log": [],
    ]

    init(_ file: UnitFile, defaults: ConfigurationDefaults) {
        self.file = file
        self.defaults = defaults
    }

    func read() throws(UnitFileError) -> Configuration {
        let stateDirectory = try path("StateDirectory", in: "Supervisor") ?? "/var/lib/device-supervisor"
        let socket = try path("Socket", in: "Engine", limit: Self.socketPathLimit)
        var configuration = Configuration(
            stateDirectory: stateDirectory,
            runtimeDirectory: try path(
                "RuntimeDirectory",
                in: "Supervisor",
                limit: Self.socketPathLimit - "/control.sock".utf8.count
            ) ?? "/run/device-supervisor",
            deviceType: try deviceType(),
            uuid: try uuid(),
            port: try file.last("Port", in: "API")?.integer(in: 1...65535) ?? 48484,
            interfaces: try interfaces() ?? ["lo", "docker0", "apps", "resin-vpn", "tun0"],
            maxConnections: try file.last("MaxConnections", in: "API")?.integer(in: 8...10_000) ?? 512,
            pingRequiresKey: try file.last("PingRequiresKey", in: "API")?.bool() ?? true,
            uplinkUser: try uplinkUser(),
            reportedVersion: try reportedVersion(),
            engineSocket: socket ?? defaults.engineSocket,
            engineSocketIsGiven: socket != nil,
            target: try path("Target", in: "Applications") ?? Self.join(stateDirectory, "apps.json"),
            cloudTarget: try path("CloudTarget", in: "Applications") ?? "/var/lib/supervisor-uplink/target/target.json",
            dataDirectory: try path("DataDirectory", in: "Applications") ?? Self.join(stateDirectory, "data"),
            lockDirectory: try path("LockDirectory", in: "Applications") ?? "/run/device-supervisor-locks",
            pollInterval: try file.last("PollIntervalSec", in: "Applications")?
                .duration(in: .seconds(1)...(.seconds(86_400))) ?? .seconds(60),
            pluginSearchPath: try pluginSearchPath() ?? [
                "/etc/device-supervisor/plugins.d",
                "/run/device-supervisor/plugins.d",
                "/usr/local/lib/device-supervisor/plugins.d",
                "/usr/lib/device-supervisor/plugins.d",
            ]
        )
        configuration.sources = try sources()
        return configuration
    }

    /// Where the values come from that are no defaults.
    private func sources() throws(UnitFileError) -> [String: [UnitFile.Location]] {
        let lists = ["Interfaces", "SearchPath"]
        var sources: [String: [UnitFile.Location]] = [:]
        for (section, keys) in Self.keys {
            for key in keys {
                var assignments = [file.last(key, in: section)].compactMap(\.self)
                if lists.contains(key), let list = file.all(key, in: section) {
                    // What has emptied a list is where its value comes from.
                    assignments = list.isEmpty ? file.assignments(of: key, in: section).suffix(1) : list
                }
                if !assignments.isEmpty { sources["[\(section)] \(key)"] = assignments.map(\.location) }
            }
        }
        if sources["[Device] DeviceType"] == nil, let given = try defaults.deviceType() {
            sources["[Device] DeviceType"] = [given.location]
        }
        return sources
    }

    /// Likely mistakes, a line each. Sections and keys whose names begin with `X-` are left to others, as
    /// systemd.unit(5) has it.
    func warnings() -> [String] {
        let sections = file.headers
            .filter { Self.keys[$0.section] == nil && !$0.section.hasPrefix("X-") }
            .map { "\($0.location): [\($0.section)]: unknown section, ignored" }
        let keys = file.assignments
            .filter { Self.keys[$0.section]?.contains($0.key) == false && !$0.key.hasPrefix("X-") }
            .map { "\($0.location): [\($0.section)] \($0.key): unknown key, ignored" }
        // Assigned, but emptied in the end.
        let emptied =
            file.all("Interfaces", in: "API")?.isEmpty == true
            ? file.assignments.last { $0.section == "API" && $0.key == "Interfaces" } : nil
        return sections + keys
            + (emptied.map { ["\($0.location): [API] Interfaces: the list is empty, so the API is not reachable"] }
                ?? [])
    }

    // MARK: Values

    private func deviceType() throws(UnitFileError) -> String {
        var assignment = file.last("DeviceType", in: "Device")
        if assignment == nil { assignment = try defaults.deviceType() }
        guard let assignment else { return "generic" }
        let isAllowed = assignment.text.utf8.count <= 64 && assignment.text.utf8.allSatisfy(Self.isDeviceTypeCharacter)
        guard isAllowed else {
            throw assignment.error(
                "\(assignment.shown) is not a device type",
                allowed: "up to 64 letters, digits and characters of '-_.'"
            )
        }
        return assignment.text
    }

    private static func isDeviceTypeCharacter(_ byte: UInt8) -> Bool {
        byte.isASCIILetter || byte.isASCIIDigit || "-_.".utf8.contains(byte)
    }

    /// Three numbers, which is what clients compare (semver.org), and what may follow them there.
    private func reportedVersion() throws(UnitFileError) -> String {
        guard let assignment = file.last("ReportedVersion", in: "API") else { return SupervisorSettings.apiVersion }
        let text = Array(assignment.text.utf8)
        let end = text.firstIndex { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") } ?? text.count
        let numbers = text[..<end].split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let isVersion =
            numbers.count == 3
            && numbers.allSatisfy {
                (1...6).contains($0.count) && $0.allSatisfy(\.isASCIIDigit)
                    && ($0.count == 1 || $0.first != UInt8(ascii: "0"))
            }
        let rest = text[end...]
        guard isVersion, rest.count != 1, text.count <= 64,
            rest.allSatisfy({ $0.isASCIILetter || $0.isASCIIDigit || "-+.".utf8.contains($0) })
        else {
            throw assignment.error("\(assignment.shown) is not a version", allowed: "three numbers such as 6.6.11")
        }
        return assignment.text
    }

    /// As useradd(8) takes them.
    private func uplinkUser() throws(UnitFileError) -> String {
        guard let assignment = file.last("UplinkUser", in: "API") else { return "supervisor-uplink" }
        let isName =
            (1...32).contains(assignment.text.utf8.count)
            && assignment.text.utf8.first != UInt8(ascii: "-")
            && assignment.text.utf8.allSatisfy { $0.isASCIILetter || $0.isASCIIDigit || "-_.".utf8.contains($0) }
        guard isName else {
            throw assignment.error(
                "\(assignment.shown) is not the name of a user",
                allowed: "1 to 32 letters, digits and characters of '-_.'"
            )
        }
        return assignment.text
    }

    private func uuid() throws(UnitFileError) -> String? {
        guard let assignment = file.last("UUID", in: "Device") else { return nil }
        let digits = assignment.text.lowercased()
        let isHexadecimal = digits.utf8.allSatisfy(\.isLowercaseHexDigit)
        guard isHexadecimal, digits.utf8.count == 32 else {
            throw assignment.error(
                "\(assignment.shown) is not a UUID",
                allowed: "32 hexadecimal digits without hyphens"
            )
        }
        return digits
    }

    private func interfaces() throws(UnitFileError) -> [String]? {
        guard let assignments = file.all("Interfaces", in: "API") else { return nil }
        var names: [String] = []
        for assignment in assignments {
            for name in try assignment.words() where !names.contains(name) {
                guard Self.isInterfaceName(name) else {
                    throw assignment.error(
                        "\(name.debugDescription) is not an interface",
                        allowed: "names of interfaces (1 to 15 characters), apps, *"
                    )
                }
                names.append(name)
            }
        }
        return names
    }

    /// As the kernel's dev_valid_name(), without `*` in a longer name, which would be a pattern that is not supported.
    private static func isInterfaceName(_ name: String) -> Bool {
        let isPrintable = name.utf8.allSatisfy { byte in
            (0x21...0x7E).contains(byte) && ![UInt8(ascii: "/"), UInt8(ascii: ":"), UInt8(ascii: "*")].contains(byte)
        }
        return name == "*" || (1...15).contains(name.utf8.count) && isPrintable && name != "." && name != ".."
    }

    private func pluginSearchPath() throws(UnitFileError) -> [String]? {
        guard let assignments = file.all("SearchPath", in: "Plugins") else { return nil }
        var directories: [String] = []
        for assignment in assignments {
            for part in assignment.text.split(separator: ":", omittingEmptySubsequences: false) {
                var one = assignment
                one.text = String(part)
                directories.append(try Self.path(one, allowed: "absolute paths, separated by ':'"))
            }
        }
        return directories
    }

    // MARK: Paths

    /// Length of the path of a unix socket, in bytes, without the NUL that ends it (unix(7)).
    private static let socketPathLimit = 107

    private func path(_ key: String, in section: String, limit: Int = 4095) throws(UnitFileError) -> String? {
        guard let assignment = file.last(key, in: section) else { return nil }
        let path = try Self.path(assignment, allowed: "an absolute path")
        guard path.utf8.count <= limit else {
            throw assignment.error("the path is too long", allowed: "an absolute path of at most \(limit) bytes")
        }
        return path
    }

    private static func path(_ assignment: UnitFile.Assignment, allowed: String) throws(UnitFileError) -> String {
        guard assignment.text.hasPrefix("/") else {
            throw assignment.error("\(assignment.shown) is not an absolute path", allowed: allowed)
        }
        let components = assignment.text.split(separator: "/")
        guard !components.contains(".."), !components.contains(".") else {
            throw assignment.error("\(assignment.shown) contains '.' or '..'", allowed: allowed)
        }
        return "/" + components.joined(separator: "/")
    }

    private static func join(_ directory: String, _ name: String) -> String {
        directory == "/" ? "/\(name)" : "\(directory)/\(name)"
    }
}
