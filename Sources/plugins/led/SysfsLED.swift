import Glibc
import LinuxSupport

/// A LED of the kernel's LED class (Documentation/leds/leds-class.rst): a directory with the files brightness,
/// max_brightness and trigger.
struct SysfsLED: Sendable, Hashable {
    /// What a LED does by itself.
    struct State: Sendable, Hashable {
        var brightness: String
        /// nil for a kernel without triggers.
        var trigger: String?
        /// Files that belong to the trigger, such as delay_on of `timer`, with their contents.
        var parameters: [String: String] = [:]
    }

    var path: String

    var exists: Bool { access(path + "/brightness", F_OK) == 0 }
    var isWritable: Bool { access(path + "/brightness", W_OK) == 0 }

    /// The settings that a trigger loses when it is taken off the LED.
    private static let parameters = [
        "timer": ["delay_on", "delay_off"],
        "oneshot": ["delay_on", "delay_off", "invert"],
        "heartbeat": ["invert"],
    ]

    func state() throws(SystemCallError) -> State {
        var state = State(brightness: try read("brightness"), trigger: Self.chosen(try? read("trigger")))
        for name in state.trigger.flatMap({ Self.parameters[$0] }) ?? [] {
            state.parameters[name] = try? read(name)
        }
        return state
    }

    /// The value of max_brightness.
    func full() throws(SystemCallError) -> String { try read("max_brightness") }

    /// Takes the trigger off, which would otherwise continue to blink in its own way.
    func takeOver(from state: State) throws(SystemCallError) {
        if let trigger = state.trigger, trigger != "none" { try write("none", to: "trigger") }
    }

    func set(_ brightness: String) throws(SystemCallError) { try write(brightness, to: "brightness") }

    /// Brightness first: writing 0 takes the trigger off.
    func restore(_ state: State) throws(SystemCallError) {
        try write(state.brightness, to: "brightness")
        guard let trigger = state.trigger, trigger != "none" else { return }
        try write(trigger, to: "trigger")
        // These files come with the trigger, and belong to root even where brightness does not: restored as far as
        // possible.
        for (name, value) in state.parameters.sorted(by: { $0.key < $1.key }) { try? write(value, to: name) }
    }

    /// The word in brackets.
    private static func chosen(_ text: String?) -> String? {
        guard let text, let open = text.firstIndex(of: "["), let close = text[open...].firstIndex(of: "]") else {
            return nil
        }
        return String(text[text.index(after: open)..<close])
    }

    private func read(_ name: String) throws(SystemCallError) -> String {
        let path = path + "/" + name
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemCallError("open", path) }
        defer { close(descriptor) }
        // An attribute is at most a page long, but for lists of triggers.
        let bytes = try Descriptor.readStart(descriptor, path, limit: 16 << 10)
        let text = String(decoding: bytes, as: UTF8.self)
        return String(text.prefix { !$0.isNewline })
    }

    /// One write of the whole value to a descriptor of its own: each write(2) is a value of its own to sysfs. What is there
    /// already goes first, for files that are no attributes.
    private func write(_ value: String, to name: String) throws(SystemCallError) {
        let path = path + "/" + name
        let descriptor = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemCallError("open", path) }
        defer { close(descriptor) }
        let bytes = Array((value + "\n").utf8)
        let count = try Descriptor.writeOnce(bytes[...], to: descriptor, path)
        guard count == bytes.count else { throw SystemCallError("write", path, code: EIO) }
    }
}

extension SystemCallError {
    /// The LED or its driver is gone.
    var isAbsence: Bool { [ENOENT, ENODEV, ENXIO, ENOTDIR].contains(code) }
    var isRefusal: Bool { [EACCES, EPERM, EROFS].contains(code) }
}
