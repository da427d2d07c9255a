import LinuxSupport
import UnitFile

/// The settings of uplink.conf. docs/configuration.md has the table for users.
struct UplinkSettings: Sendable {
    /// nil: the device has no remote service.
    var server: CloudServer?
    /// A file with certificates in PEM, of authorities that count besides the system's.
    var authorities: String?
    /// Number or name of the application that the device registers for; nil leaves it to the provisioning token.
    var application: String?
    var provisioningTokenFile: String
    var stateDirectory: String
    /// The supervisor's API.
    var apiSocket: String
    /// Whether the service may send commands.
    var takesCommands: Bool
    /// Where the targets of the service are handed over.
    var targetDirectory: String
    var pollInterval: Duration
    var warnings: [String] = []

    static let searchPath = UnitSearchPath([
        "/etc/device-supervisor", "/run/device-supervisor", "/usr/local/lib/device-supervisor",
        "/usr/lib/device-supervisor",
    ])

    private static let keys: [String: Set<String>] = [
        "Cloud": [
            "Server", "CAFile", "Application", "ProvisioningTokenFile", "StateDirectory", "TargetDirectory", "Commands",
            "PollIntervalSec",
        ],
        "Supervisor": ["Socket"],
    ]

    /// Throws where a value cannot be used; the error names file, line and key.
    static func load(file: String?) throws(SettingsError) -> UplinkSettings {
        do throws(UnitFileError) {
            return try UplinkSettings(try contents(file))
        } catch {
            throw SettingsError(description: error.description)
        }
    }

    private static func contents(_ file: String?) throws(UnitFileError) -> UnitFile {
        guard let file else { return try searchPath.configuration(named: "uplink.conf") }
        let bytes: [UInt8]?
        do throws(SystemCallError) {
            bytes = try FileSystem.read(file, limit: UnitFile.sizeLimit)
        } catch {
            throw UnitFileError(.unreadable, file: file, reason: "\(error)")
        }
        guard let bytes else { throw UnitFileError(.unreadable, file: file, reason: "there is no such file") }
        return try UnitFile(parsing: bytes, file: file)
    }

    init(_ file: UnitFile) throws(UnitFileError) {
        if let assignment = file.last("Server", in: "Cloud") {
            do throws(CloudServerError) {
                server = try CloudServer(assignment.text)
            } catch {
                throw assignment.error("\(assignment.shown) \(error.reason)", allowed: error.allowed)
            }
        }
        authorities = try Self.path("CAFile", in: "Cloud", file)
        application = try Self.application(file)
        stateDirectory = try Self.path("StateDirectory", in: "Cloud", file) ?? "/var/lib/supervisor-uplink"
        targetDirectory = try Self.path("TargetDirectory", in: "Cloud", file) ?? "/var/lib/supervisor-uplink/target"
        provisioningTokenFile =
            try Self.path("ProvisioningTokenFile", in: "Cloud", file) ?? "/etc/device-supervisor/provisioning-token"
        apiSocket = try Self.path("Socket", in: "Supervisor", file) ?? "/run/device-supervisor/api.sock"
        takesCommands = try file.last("Commands", in: "Cloud")?.bool() ?? true
        pollInterval =
            try file.last("PollIntervalSec", in: "Cloud")?.duration(in: .seconds(1)...(.seconds(86_400)))
            ?? .seconds(900)
        warnings =
            file.headers.filter { Self.keys[$0.section] == nil && !$0.section.begins(with: "X-") }
            .map { "\($0.location): [\($0.section)]: unknown section, ignored" }
            + file.assignments.filter {
                Self.keys[$0.section]?.contains($0.key) == false && !$0.key.begins(with: "X-")
            }
            .map { "\($0.location): [\($0.section)] \($0.key): unknown key, ignored" }
    }

    private static func application(_ file: UnitFile) throws(UnitFileError) -> String? {
        guard let assignment = file.last("Application", in: "Cloud") else { return nil }
        let isName =
            (1...128).contains(assignment.text.utf8.count)
            && assignment.text.utf8.allSatisfy { $0.isASCIILetter || $0.isASCIIDigit || "-_./".utf8.contains($0) }
        guard isName else {
            throw assignment.error(
                "\(assignment.shown) is not an application",
                allowed: "its number, or its name of letters, digits and characters of '-_./'"
            )
        }
        return assignment.text
    }

    private static func path(_ key: String, in section: String, _ file: UnitFile) throws(UnitFileError) -> String? {
        guard let assignment = file.last(key, in: section) else { return nil }
        guard assignment.text.begins(with: "/"), !assignment.text.utf8.contains(0) else {
            throw assignment.error("\(assignment.shown) is not an absolute path", allowed: "an absolute path")
        }
        return assignment.text
    }
}
