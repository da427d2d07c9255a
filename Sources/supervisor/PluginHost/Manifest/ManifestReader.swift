import LinuxSupport
import SupervisorPluginAPI
import UnitFile

/// Turns the contents of a manifest into a `PluginManifest`.
///
/// A key without a value has its default, as in systemd's own files; a list is emptied by that.
struct ManifestReader {
    private let unit: UnitFile
    private let path: String
    private let name: String

    /// The keys of each section that has fixed ones.
    static let keys: [String: Set<String>] = [
        "Plugin": ["Name", "Description", "Provides", "ProtocolVersions", "Essential", "Priority"],
        "Launch": [
            "Mode", "Exec", "Socket", "Lifecycle", "IdleTimeoutSec", "StartTimeoutSec", "CallTimeoutSec",
            "StopTimeoutSec",
        ],
        "Match": ["DeviceType"],
    ]

    /// sun_path of unix(7) is 108 bytes with the NUL at its end.
    static let socketPathLimit = 107

    private static let nameAllowed = "1 to 64 letters, digits and characters of '-_.', not beginning with one of these"
    private static let operationAllowed =
        "names such as led.blink: small letters, digits and '-' in parts separated by dots; plugin.* is the protocol's"

    /// `name` is the file's without `.plugin`; `path` is the main file's.
    init(_ unit: UnitFile, name: String, path: String) {
        self.unit = unit
        self.name = name
        self.path = path
    }

    func read() throws(UnitFileError) -> PluginManifest {
        try checkName()
        let manifest = PluginManifest(
            name: name,
            description: unit.last("Description", in: "Plugin")?.text ?? "",
            file: path,
            provides: try provides(),
            isEssential: try unit.last("Essential", in: "Plugin")?.bool() ?? false,
            priority: try unit.last("Priority", in: "Plugin")?.integer(in: -1000...1000) ?? 0,
            launch: try launch(),
            lifecycle: try word("Lifecycle", PluginManifest.Lifecycle.self) ?? .onDemand,
            idleTimeout: try duration("IdleTimeoutSec", .seconds(30), upTo: .seconds(86_400)),
            startTimeout: try duration("StartTimeoutSec", .seconds(5), upTo: .seconds(300)),
            callTimeout: try duration("CallTimeoutSec", .seconds(10), upTo: .seconds(3600)),
            stopTimeout: try duration("StopTimeoutSec", .seconds(5), upTo: .seconds(60)),
            deviceType: try deviceType(),
            settings: settings()
        )
        try checkVersions()
        return manifest
    }

    /// Whether the manifest calls the plugin essential, as far as that can be read from one that is invalid.
    var looksEssential: Bool {
        guard let essential = unit.last("Essential", in: "Plugin") else { return false }
        return (try? essential.bool()) ?? false
    }

    /// Likely mistakes, a line each. Sections and keys whose names begin with `X-` are left to others, as
    /// systemd.unit(5) has it.
    func warnings() -> [String] {
        let known = Set(Self.keys.keys).union(["Settings"])
        let sections = unit.headers
            .filter { !known.contains($0.section) && !$0.section.hasPrefix("X-") }
            .map { "\($0.location): [\($0.section)]: unknown section, ignored" }
        let keys = unit.assignments
            .filter { Self.keys[$0.section]?.contains($0.key) == false && !$0.key.hasPrefix("X-") }
            .map { "\($0.location): [\($0.section)] \($0.key): unknown key, ignored" }
        return sections + keys
    }

    // MARK: [Plugin]

    static func isName(_ name: String) -> Bool {
        let bytes = name.utf8
        guard (1...64).contains(bytes.count), let first = bytes.first, isLetterOrDigit(first) else { return false }
        return bytes.allSatisfy { isLetterOrDigit($0) || "-_.".utf8.contains($0) }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        byte.isASCIILetter || byte.isASCIIDigit
    }

    private func checkName() throws(UnitFileError) {
        guard Self.isName(name) else {
            throw UnitFileError(
                .invalidValue,
                file: path,
                reason: "the file's name is not a plugin's; allowed: \(Self.nameAllowed), then .plugin"
            )
        }
        guard let given = unit.last("Name", in: "Plugin") else { throw missing("Name", in: "Plugin", name) }
        guard given.text.isExactly(name) else {
            throw given.error("\(given.shown) is not the file's name", allowed: name)
        }
    }

    private func provides() throws(UnitFileError) -> [String] {
        var operations: [String] = []
        var known: Set<String> = []
        for assignment in unit.all("Provides", in: "Plugin") ?? [] {
            for operation in try assignment.words() {
                guard Self.isOperation(operation) else {
                    throw assignment.error(
                        "\(operation.cut(toBytes: 64).debugDescription) is not an operation",
                        allowed: Self.operationAllowed
                    )
                }
                if known.insert(operation).inserted { operations.append(operation) }
            }
        }
        guard !operations.isEmpty else { throw missing("Provides", in: "Plugin", Self.operationAllowed) }
        return operations
    }

    static func isOperation(_ name: String) -> Bool {
        let parts = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard name.utf8.count <= 64, parts.count >= 2, !name.begins(with: "plugin.") else { return false }
        return parts.allSatisfy { part in
            !part.isEmpty
                && part.allSatisfy { byte in
                    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                        || byte.isASCIIDigit || byte == UInt8(ascii: "-")
                }
        }
    }

    private func checkVersions() throws(UnitFileError) {
        guard let assignments = unit.all("ProtocolVersions", in: "Plugin"), let last = assignments.last else { return }
        var versions: [Int] = []
        for assignment in assignments {
            for word in try assignment.words() {
                var one = assignment
                one.text = word
                versions.append(try one.integer(in: 1...1_000_000))
            }
        }
        guard versions.contains(Int(PluginProtocol.version)) else {
            throw last.error(
                "this supervisor supports only version \(PluginProtocol.version)",
                allowed: "a list that contains \(PluginProtocol.version)"
            )
        }
    }

    // MARK: [Launch]

    private enum Mode: String, CaseIterable {
        case exec, socket
    }

    private func launch() throws(UnitFileError) -> PluginManifest.Launch {
        switch try word("Mode", Mode.self) ?? .exec {
        case .exec:
            let allowed = "an absolute path, followed by arguments"
            guard let assignment = unit.last("Exec", in: "Launch") else { throw missing("Exec", in: "Launch", allowed) }
            let words = try assignment.words()
            guard let path = words.first, path.begins(with: "/") else {
                throw assignment.error("\(assignment.shown) is not an absolute path", allowed: allowed)
            }
            return .executable(path: path, arguments: Array(words.dropFirst()))
        case .socket:
            let allowed = "an absolute path of at most \(Self.socketPathLimit) bytes"
            guard let assignment = unit.last("Socket", in: "Launch") else {
                throw missing("Socket", in: "Launch", allowed)
            }
            let path = assignment.text
            guard path.begins(with: "/"), !path.ends(with: "/") else {
                throw assignment.error("\(assignment.shown) is not an absolute path of a socket", allowed: allowed)
            }
            guard path.utf8.count <= Self.socketPathLimit else {
                throw assignment.error("a path of \(path.utf8.count) bytes", allowed: allowed)
            }
            return .socket(path: path)
        }
    }

    private func duration(
        _ key: String,
        _ standard: Duration,
        upTo limit: Duration
    ) throws(UnitFileError) -> Duration {
        try unit.last(key, in: "Launch")?.duration(in: .milliseconds(50)...limit) ?? standard
    }

    private func word<Word: RawRepresentable & CaseIterable>(
        _ key: String,
        _ type: Word.Type
    ) throws(UnitFileError) -> Word? where Word.RawValue == String {
        guard let assignment = unit.last(key, in: "Launch") else { return nil }
        guard let word = Word.allCases.first(where: { assignment.text.isExactly($0.rawValue) }) else {
            throw assignment.error(
                "\(assignment.shown) is not known",
                allowed: Word.allCases.map(\.rawValue).joined(separator: ", ")
            )
        }
        return word
    }

    // MARK: [Match] and [Settings]

    private func deviceType() throws(UnitFileError) -> DeviceTypeMatch {
        var patterns: [String] = []
        for assignment in unit.all("DeviceType", in: "Match") ?? [] {
            for pattern in try assignment.words() {
                guard !pattern.isExactly("!") else {
                    throw assignment.error("a '!' without a pattern", allowed: "patterns of fnmatch(3), negated by '!'")
                }
                patterns.append(pattern)
            }
        }
        return DeviceTypeMatch(patterns)
    }

    private func settings() -> [String: String] {
        var settings: [String: String] = [:]
        for key in unit.keys(in: "Settings") { settings[key] = unit.last(key, in: "Settings")?.text }
        return settings
    }

    private func missing(_ key: String, in section: String, _ allowed: String) -> UnitFileError {
        UnitFileError(
            .invalidValue,
            file: path,
            reason: "[\(section)] \(key): the key is missing; allowed: \(allowed)"
        )
    }
}
