import CLinux
import Glibc
import LinuxSupport
import SupervisorPluginAPI

/// Saves the state of a LED before it blinks, in case the process is killed meanwhile: a small JSON file. The process
/// that blinks holds a lock on it (flock(2)), which the kernel releases when the process dies.
final class FormerFile {
    struct Former: Sendable, Hashable {
        var led: SysfsLED
        var state: SysfsLED.State
    }

    enum Found {
        case nothing
        /// Left by a process that was killed.
        case leftover(Former)
        /// Another process makes that LED blink at this moment.
        case inUse(Former)
    }

    /// In the unit's runtime directory, where there is one.
    static var standardPath: String {
        let directory = getenv("RUNTIME_DIRECTORY").map { String(cString: $0) } ?? ""
        // A unit may have several, with colons between them.
        let first = directory.prefix { $0 != ":" }
        return (first.hasPrefix("/") ? String(first) : "/run/supervisor-plugin-led") + "/former"
    }

    let path: String
    /// Holds the lock while we blink.
    private var descriptor: Int32 = -1

    init(path: String) {
        self.path = path
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    func find() -> Found {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard file >= 0 else { return .nothing }
        defer { close(file) }
        guard let bytes = try? Descriptor.readStart(file, path, limit: 16 << 10), let former = Former(json: bytes[...])
        else { return .nothing }
        return flock(file, LOCK_EX | LOCK_NB) == 0 ? .leftover(former) : .inUse(former)
    }

    /// Throws what went wrong, for people.
    func save(_ former: Former) throws(SystemCallError) {
        let new = path + ".new"
        if let slash = path.lastIndex(of: "/") { mkdir(String(path[..<slash]), 0o755) }
        unlink(new)
        let file = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard file >= 0 else { throw SystemCallError("create", new) }
        let bytes = former.json
        do throws(SystemCallError) {
            guard flock(file, LOCK_EX | LOCK_NB) == 0 else { throw SystemCallError("lock", path) }
            try Descriptor.writeAll(bytes, to: file, path)
            try FileSystem.rename(new, path)
        } catch {
            close(file)
            unlink(new)
            throw error
        }
        descriptor = file
    }

    /// Removes the file that `save` has made, or leaves it to the process that starts next.
    func release(keeping: Bool = false) {
        guard descriptor >= 0 else { return }
        if !keeping { unlink(path) }
        close(descriptor)
        descriptor = -1
    }

    /// Restores what a killed process has left. Returns false if that failed.
    func restore() -> Bool {
        guard case .leftover(let former) = find() else { return true }
        do throws(SystemCallError) {
            try former.led.restore(former.state)
            PluginLog.notice("restored \(former.led.path), which had been left blinking")
        } catch {
            guard error.isAbsence else {
                PluginLog.error("cannot restore \(former.led.path): \(error.description)")
                return false
            }
            PluginLog.notice("\(former.led.path), which had been left blinking, no longer exists")
        }
        unlink(path)
        return true
    }
}

extension FormerFile.Former {
    fileprivate var json: [UInt8] {
        var object: JSONObject = ["path": .string(led.path), "brightness": .string(state.brightness)]
        if let trigger = state.trigger { object["trigger"] = .string(trigger) }
        let parameters = state.parameters.sorted { $0.key < $1.key }.map { ($0.key, JSONValue.string($0.value)) }
        object["parameters"] = .object(JSONObject(parameters))
        return JSONValue.object(object).encoded() + [UInt8(ascii: "\n")]
    }

    fileprivate init?(json bytes: ArraySlice<UInt8>) {
        guard let json = try? JSONValue(parsing: Array(bytes)), let path = json["path"]?.stringValue,
            path.hasPrefix("/"), let brightness = json["brightness"]?.stringValue
        else { return nil }
        led = SysfsLED(path: path)
        state = SysfsLED.State(brightness: brightness, trigger: json["trigger"]?.stringValue)
        for member in json["parameters"]?.objectValue ?? [:] {
            if let value = member.value.stringValue, !member.name.utf8.contains(UInt8(ascii: "/")) {
                state.parameters[member.name] = value
            }
        }
    }
}
