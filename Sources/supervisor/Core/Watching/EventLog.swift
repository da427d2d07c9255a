import JSON
import LinuxSupport

/// Recent events, and the watchers of new ones.
struct EventLog {
    /// The number of events that are kept, and of their bytes: the oldest go first.
    static let capacity = 200
    static let byteCapacity = 128 << 10
    /// Bytes of a text in an event; what is longer is cut.
    static let textLimit = 1024

    /// Encoded, oldest first, with the time of each in seconds since 1970.
    private var events: [(time: Int64, line: [UInt8])] = []
    /// Bytes of their lines.
    private var size = 0
    private var watchers: [Int: LineStream] = [:]
    private var nextWatcher = 0

    /// Hands the event to all who watch, and keeps it unless it is fleeting. On the executor of the streams.
    mutating func append(_ event: DeviceEvent, time: Int64) {
        guard !event.isFleeting || !watchers.isEmpty else { return }
        var members: JSONObject = ["time": .integer(time), "event": .string(event.name)]
        for member in event.members { members[member.name] = Self.shortened(member.value) }
        var line: [UInt8] = []
        JSONValue.object(members).encode(into: &line)
        if !event.isFleeting {
            events.append((time, line))
            size += line.count
            while events.count > Self.capacity || size > Self.byteCapacity { size -= events.removeFirst().line.count }
        }
        for watcher in watchers.values {
            watcher.assumeIsolated { $0.push(line) }
        }
    }

    private static func shortened(_ value: JSONValue) -> JSONValue {
        guard case .string(let text) = value, text.utf8.count > textLimit else { return value }
        return .string(text.cut(toBytes: textLimit) + "…")
    }

    /// Lets `stream` have the events since `time` and all that are to come, until `unwatch`. Returns the watcher's number.
    mutating func watch(_ stream: LineStream, since time: Int64) -> Int {
        nextWatcher += 1
        watchers[nextWatcher] = stream
        let past = events.filter { $0.time >= time }.map(\.line)
        stream.assumeIsolated { stream in
            for line in past { stream.push(line) }
        }
        return nextWatcher
    }

    mutating func unwatch(_ number: Int) {
        watchers[number] = nil
    }

    var watcherCount: Int { watchers.count }

    /// Forgets those who watch, and returns their streams.
    mutating func removeWatchers() -> [LineStream] {
        defer { watchers = [:] }
        return Array(watchers.values)
    }
}
