import Glibc
import SupervisorPluginAPI

/// Appends to the journal what happened, so that a test can prove what was sent, in which order, and how often.
struct Journal {
    private var file: Int32 = -1
    /// What happened before it was known where to write.
    private var kept: [UInt8] = []

    mutating func open(_ path: String) {
        if file >= 0 { close(file) }
        file = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
        if file >= 0 { Files.write(kept, to: file) }
        kept = []
    }

    mutating func note(_ event: String, _ members: JSONObject = [:]) {
        var json: JSONObject = [
            "pid": .integer(Int64(getpid())), "ms": .integer(Clock.milliseconds), "event": .string(event),
        ]
        for member in members { json[member.name] = member.value }
        let line = JSONValue.object(json).encoded() + [UInt8(ascii: "\n")]
        if file >= 0 { Files.write(line, to: file) } else { kept += line }
    }
}

enum Clock {
    /// CLOCK_MONOTONIC
    static var milliseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
