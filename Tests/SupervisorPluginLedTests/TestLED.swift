import Glibc
import TestSupport

@testable import supervisor_plugin_led

/// A directory of plain files that looks like a LED.
final class TestLED: Sendable {
    private let directory = TemporaryDirectory()
    var root: String { directory.path }
    var path: String { root + "/led0" }
    var formerFile: String { root + "/state/former" }
    var led: SysfsLED { SysfsLED(path: path) }

    init(brightness: String = "3", trigger: String? = "none [timer] heartbeat") {
        directory.directory("led0")
        self["brightness"] = brightness
        self["max_brightness"] = "255"
        if let trigger { self["trigger"] = trigger }
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
