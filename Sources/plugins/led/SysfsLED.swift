import Glibc

/// A LED of the kernel's LED class (Documentation/leds/leds-class.rst): a directory with the files brightness,
/// max_brightness and trigger.
struct SysfsLED: Sendable, Hashable {
    /// A system call that failed.
    struct Failure: Error, Hashable {
        var call: String
        var path: String
        var code: Int32

        /// The LED or its driver is gone.
        var isAbsence: Bool { [ENOENT, ENODEV, ENXIO, ENOTDIR].contains(code) }
        var isRefusal: Bool { [EACCES, EPERM, EROFS].contains(code) }
        var text: String { "\(call) \(path): \(String(cString: strerror(code)))" }
    }

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

    /// What a trigger forgets when it is taken off the LED.
    private static let parameters = [
        "timer": ["delay_on", "delay_off"],
        "oneshot": ["delay_on", "delay_off", "invert"],
        "heartbeat": ["invert"],
    ]

    func state() throws(Failure) -> State {
        var state = State(brightness: try read("brightness"), trigger: Self.chosen(try? read("trigger")))
        for name in state.trigger.flatMap({ Self.parameters[$0] }) ?? [] {
            state.parameters[name] = try? read(name)
        }
        return state
    }

    /// The value of max_brightness.
    func full() throws(Failure) -> String { try read("max_brightness") }

    /// Takes the trigger off, which would go on blinking in its own way.
    func takeOver(from state: State) throws(Failure) {
        if let trigger = state.trigger, trigger != "none" { try write("none", to: "trigger") }
    }

    func set(_ brightness: String) throws(Failure) { try write(brightness, to: "brightness") }

    /// Brightness first: writing 0 takes the trigger off.
    func restore(_ state: State) throws(Failure) {
        try write(state.brightness, to: "brightness")
        guard let trigger = state.trigger, trigger != "none" else { return }
        try write(trigger, to: "trigger")
        // These files come with the trigger, and belong to root even where brightness does not: as well as it goes.
        for (name, value) in state.parameters.sorted(by: { $0.key < $1.key }) { try? write(value, to: name) }
    }

    /// The word in brackets.
    private static func chosen(_ text: String?) -> String? {
        guard let text, let open = text.firstIndex(of: "["), let close = text[open...].firstIndex(of: "]") else {
            return nil
        }
        return String(text[text.index(after: open)..<close])
    }

    private func read(_ name: String) throws(Failure) -> String {
        let path = path + "/" + name
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure(call: "open", path: path, code: errno) }
        defer { close(descriptor) }
        // An attribute is at most a page long, but for lists of triggers.
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        guard count >= 0 else { throw Failure(call: "read", path: path, code: errno) }
        let text = String(decoding: buffer[..<count], as: UTF8.self)
        return String(text.prefix { !$0.isNewline })
    }

    /// One write of the whole value to a descriptor of its own: each write(2) is a value of its own to sysfs. What is there
    /// already goes first, for files that are no attributes.
    private func write(_ value: String, to name: String) throws(Failure) {
        let path = path + "/" + name
        let descriptor = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure(call: "open", path: path, code: errno) }
        defer { close(descriptor) }
        let bytes = Array((value + "\n").utf8)
        let count = Glibc.write(descriptor, bytes, bytes.count)
        guard count == bytes.count else {
            throw Failure(call: "write", path: path, code: count < 0 ? errno : EIO)
        }
    }
}
