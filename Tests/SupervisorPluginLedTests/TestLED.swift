import Glibc

@testable import supervisor_plugin_led

/// A directory of plain files that looks like a LED.
final class TestLED: Sendable {
    let root: String
    var path: String { root + "/led0" }
    var formerFile: String { root + "/state/former" }
    var led: SysfsLED { SysfsLED(path: path) }

    init(brightness: String = "3", trigger: String? = "none [timer] heartbeat") {
        var template = Array("/tmp/led-test-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { preconditionFailure("mkdtemp: \(String(cString: strerror(errno)))") }
        root = String(cString: made)
        mkdir(root + "/led0", 0o755)
        self["brightness"] = brightness
        self["max_brightness"] = "255"
        if let trigger { self["trigger"] = trigger }
    }

    deinit {
        for name in ["brightness", "max_brightness", "trigger", "delay_on", "delay_off"] { unlink("\(path)/\(name)") }
        rmdir(path)
        unlink(formerFile)
        rmdir(root + "/state")
        rmdir(root)
    }

    /// The first line of an attribute; nil if it is not there.
    subscript(name: String) -> String? {
        get { Self.text("\(path)/\(name)") }
        set {
            unlink("\(path)/\(name)")
            guard let newValue, let file = fopen("\(path)/\(name)", "w") else { return }
            fputs(newValue + "\n", file)
            fclose(file)
        }
    }

    var former: String? { Self.text(formerFile) }

    private static func text(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var buffer = [CChar](repeating: 0, count: 4096)
        guard fgets(&buffer, 4096, file) != nil else { return "" }
        let bytes = buffer.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
