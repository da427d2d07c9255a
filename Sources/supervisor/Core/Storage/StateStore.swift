import Glibc
public import JSON
public import LinuxSupport

/// Everything that outlives a supervisor: the device's identity, the API key, the last good target, which images we
/// downloaded, and what the user chose.
///
/// A damaged file falls back to its other generation, a lost key to a new one, a lost target to what the engine's
/// labels say. Nothing here throws at start: what was wrong is listed in `problems`. Everything may block.
public struct StateStore: Sendable {
    public let directory: String
    private let identity: StateFile
    private let key: StateFile
    private let target: StateFile
    private let images: StateFile
    private let flags: StateFile
    private let releases: StateFile
    private let boot: StateFile

    /// Version of the files' format.
    private static let version: Int64 = 1

    public init(directory: String) {
        self.directory = directory
        identity = StateFile(directory: directory, name: "identity.json", mode: 0o600)
        key = StateFile(directory: directory, name: "api-key", mode: 0o600)
        target = StateFile(directory: directory, name: "target.json", mode: 0o600)
        images = StateFile(directory: directory, name: "images.json", mode: 0o600)
        flags = StateFile(directory: directory, name: "flags.json", mode: 0o600)
        releases = StateFile(directory: directory, name: "releases.json", mode: 0o600)
        boot = StateFile(directory: directory, name: "boot.json", mode: 0o600)
    }

    /// What was found at start.
    public struct Contents: Sendable {
        /// 32 hex digits.
        public var uuid: String
        /// 64 hex digits.
        public var apiKey: String
        /// Whether the key is on the disk; otherwise it lasts as long as the process.
        public var keyIsSaved: Bool
        /// The last good target as it was written.
        public var target: JSONValue?
        /// Images that we downloaded, and what registries said of them.
        var images: ImageLedger.Kept
        /// The user's choice; true if there is none.
        public var tcpPingIsEnabled: Bool
        /// Which releases of services are good, and which failed.
        var releases: ReleaseRecords
        /// What holds until the next boot.
        var boot: BootMemory?
        /// What was wrong with which file, one line each.
        public var problems: [String]

        /// What holds for this boot.
        func boot(id: String) -> BootMemory {
            boot.flatMap { $0.boot == id ? $0 : nil } ?? BootMemory(boot: id)
        }
    }

    /// Reads everything, creates what is missing, and repairs damaged files.
    ///
    /// - Parameters:
    ///   - givenUUID: from the configuration; wins over the kept one.
    ///   - machineUUID: derived from the machine id, for a device that has none yet.
    public func load(givenUUID: String?, machineUUID: String?) -> Contents {
        var problems = makeDirectory()

        func attempt(_ save: () throws(SystemCallError) -> Void) -> Bool {
            do throws(SystemCallError) {
                try save()
                return true
            } catch {
                problems.append(error.description)
                return false
            }
        }

        let identities = identity.load(Self.parseIdentity)
        let uuid = givenUUID ?? identities.content ?? machineUUID ?? randomHexadecimal(bytes: 16)
        if uuid != identities.content || !identities.isIntact {
            let document: JSONValue = ["version": .integer(Self.version), "uuid": .string(uuid)]
            _ = attempt { () throws(SystemCallError) in try identity.save(document.encoded() + [0x0A]) }
        }

        let keys = key.load(Self.parseKey)
        let apiKey = keys.content ?? randomHexadecimal(bytes: 32)
        var keyIsSaved = true
        if keys.content == nil, !keys.problems.isEmpty {
            problems.append("the API key is lost; a new one was generated")
        }
        // Both generations always hold the current key: neither may bring a former key back.
        if keys.content == nil || !keys.isIntact
            || (try? FileSystem.read(directory + "/api-key.last", limit: 256)) != Array(apiKey.utf8)
        {
            keyIsSaved = attempt { () throws(SystemCallError) in try key.saveBoth(Array(apiKey.utf8)) }
        }

        let targets = target.load(Self.parseTarget)
        if let content = targets.content, !targets.isIntact {
            _ = attempt { () throws(SystemCallError) in try save(target: content) }
        }

        let pulled = images.load(Self.parseImages)
        let chosen = flags.load(Self.parseFlags)
        let known = releases.load(Self.parseReleases)
        let sinceBoot = boot.load(Self.parseBoot)

        return Contents(
            uuid: uuid,
            apiKey: apiKey,
            keyIsSaved: keyIsSaved,
            target: targets.content,
            images: pulled.content ?? ImageLedger.Kept(),
            tcpPingIsEnabled: chosen.content ?? true,
            releases: known.content ?? ReleaseRecords(),
            boot: sinceBoot.content,
            problems: identities.problems + keys.problems + targets.problems + pulled.problems + chosen.problems
                + known.problems + sinceBoot.problems + problems
        )
    }

    /// Makes the state directory where it is missing. Returns what was wrong.
    public func makeDirectory() -> [String] {
        do throws(SystemCallError) {
            try FileSystem.makeDirectories(directory, mode: 0o750)
            return []
        } catch {
            return [error.description]
        }
    }

    /// Makes the directories that the containers of the kept target bind, before the engine starts those containers: it
    /// would make missing ones as root's. Where no target is kept, the target file counts.
    ///
    /// Returns what was wrong, one line each, and whether every directory is there: a damaged state file is reported,
    /// and is no failure.
    ///
    /// - Parameters:
    ///   - bootID: locks of another boot are removed.
    ///   - lockSpaces: mounts the file system for an application's lock directories, and returns what went wrong; nil
    ///     where nothing can do that.
    public func prepare(
        _ directories: AppDirectories,
        targetFile: String,
        bootID: String,
        lockSpaces: ((String) -> String?)? = nil
    ) -> (problems: [String], isDone: Bool) {
        var problems: [String] = []
        var remarks: [String] = []
        func attempt(_ body: () throws(SystemCallError) -> Void) {
            do throws(SystemCallError) { try body() } catch { problems.append(error.description) }
        }
        attempt { () throws(SystemCallError) in try directories.prepare() }
        attempt { () throws(SystemCallError) in
            try directories.clearLocksOfEarlierBoot(bootID, containersMayRun: false)
        }
        problems += makeDirectory()
        var wanted: TargetState?
        let kept = target.load(Self.parseTarget)
        var parser = TargetParser()
        if let json = kept.content {
            wanted = try? parser.parse(json)
        } else if let bytes = try? FileSystem.read(targetFile, limit: 8 << 20) {
            wanted = try? parser.parse(bytes).target
        }
        for app in wanted?.apps ?? [] {
            // Where the directory is there, containers may have it already.
            if let lockSpaces, access(directories.locks(of: app.id), F_OK) != 0, errno == ENOENT {
                attempt { () throws(SystemCallError) in try directories.makeRoomForLockSpace(app.id) }
                if let fault = lockSpaces(app.id.description) {
                    remarks.append("The lock directory of application \(app.id) shares its space with others: \(fault)")
                }
            }
            for service in app.services {
                attempt { () throws(SystemCallError) in
                    try directories.ensure(ServiceKey(app: app.id, service: service.name))
                }
            }
        }
        return (kept.problems + problems + remarks, problems.isEmpty)
    }

    /// Replaces both generations of the key: when this returns, no file holds the former one.
    public func save(key newKey: String) throws(SystemCallError) {
        try key.saveBoth(Array(newKey.utf8))
    }

    /// Keeps a good target.
    public func save(target content: JSONValue) throws(SystemCallError) {
        let document: JSONValue = ["version": .integer(Self.version), "target": content]
        try target.save(document.encoded() + [0x0A])
    }

    /// Keeps the names of images that we downloaded and may remove.
    func save(images kept: ImageLedger.Kept) throws(SystemCallError) {
        var document: JSONObject = ["version": .integer(Self.version)]
        for member in kept.json { document[member.name] = member.value }
        try images.save(JSONValue.object(document).encoded() + [0x0A])
    }

    /// Keeps what the user chose.
    public func save(tcpPingIsEnabled isEnabled: Bool) throws(SystemCallError) {
        let document: JSONValue = ["version": .integer(Self.version), "tcpPing": .bool(isEnabled)]
        try flags.save(document.encoded() + [0x0A])
    }

    /// Keeps which releases of services are good, and which failed.
    func save(releases content: JSONValue) throws(SystemCallError) {
        let document: JSONValue = ["version": .integer(Self.version), "services": content]
        try releases.save(document.encoded() + [0x0A])
    }

    /// Keeps what holds until the next boot.
    func save(boot memory: BootMemory) throws(SystemCallError) {
        var document: JSONObject = ["version": .integer(Self.version)]
        for member in memory.json { document[member.name] = member.value }
        try boot.save(JSONValue.object(document).encoded() + [0x0A])
    }

    private static func parseBoot(_ bytes: [UInt8]) throws(StateFile.Flaw) -> BootMemory {
        guard let memory = BootMemory(json: try document(bytes)) else { throw .damaged("it has no boot id") }
        return memory
    }

    private static func parseReleases(_ bytes: [UInt8]) throws(StateFile.Flaw) -> ReleaseRecords {
        guard let records = try document(bytes)["services"].flatMap(ReleaseRecords.init(json:)) else {
            throw .damaged("it has no list of services")
        }
        return records
    }

    private static func parseFlags(_ bytes: [UInt8]) throws(StateFile.Flaw) -> Bool {
        guard let isEnabled = try document(bytes)["tcpPing"]?.boolValue else {
            throw .damaged("tcpPing is neither true nor false")
        }
        return isEnabled
    }

    private static func parseImages(_ bytes: [UInt8]) throws(StateFile.Flaw) -> ImageLedger.Kept {
        guard let kept = ImageLedger.Kept(json: try document(bytes)) else { throw .damaged("it has no list of images") }
        return kept
    }

    private static func parseIdentity(_ bytes: [UInt8]) throws(StateFile.Flaw) -> String {
        guard let uuid = try document(bytes)["uuid"]?.stringValue, isHexadecimal(uuid, count: 32) else {
            throw .damaged("it has no uuid with 32 hex digits")
        }
        return uuid
    }

    private static func parseKey(_ bytes: [UInt8]) throws(StateFile.Flaw) -> String {
        let text = String(decoding: bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes[...], as: UTF8.self)
        guard isHexadecimal(text, count: 64) else { throw .damaged("it does not contain 64 hex digits") }
        return text
    }

    private static func parseTarget(_ bytes: [UInt8]) throws(StateFile.Flaw) -> JSONValue {
        guard let target = try document(bytes)["target"], target.objectValue != nil else {
            throw .damaged("it contains no target")
        }
        var parser = TargetParser()
        do throws(TargetError) {
            _ = try parser.parse(target)
        } catch {
            throw .damaged(error.description)
        }
        // A definition that a former version has kept may be refused by this one; that takes no other with it.
        if let rejection = parser.rejections.first(where: { $0.app == nil }) {
            throw .damaged(rejection.error.description)
        }
        return target
    }

    private static func document(_ bytes: [UInt8]) throws(StateFile.Flaw) -> JSONObject {
        let value: JSONValue
        do throws(JSONParseError) {
            value = try JSONValue(parsing: bytes, limits: .init(size: 8 << 20))
        } catch {
            throw .damaged(error.description)
        }
        guard let object = value.objectValue, let version = object["version"]?.integerValue else {
            throw .damaged("it has no version")
        }
        guard version <= Self.version else { throw .newer(version) }
        return object
    }

    private static func isHexadecimal(_ text: String, count: Int) -> Bool {
        text.utf8.count == count
            && text.utf8.allSatisfy(\.isLowercaseHexDigit)
    }
}

/// Random lower-case hex digits from the system's generator (getrandom(2)).
func randomHexadecimal(bytes count: Int) -> String {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in FileSystem.hex(generator.next() as UInt8) }.joined()
}
