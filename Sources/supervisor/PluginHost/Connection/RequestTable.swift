import SupervisorPluginAPI

/// The calls that a plugin was given and has not answered, by the id that each has on the wire.
///
/// A call leaves the table with its answer and in no other way: one that was given up still counts against what a plugin
/// may have at once, its late answer is expected, and a second answer is a fault.
struct RequestTable<Call> {
    /// What to do about a call whose time has come.
    enum Expiry {
        /// It must be cancelled, and its caller notified.
        case overdue(id: Int64, Call)
        /// It was cancelled, and its plugin has still not answered.
        case silent(id: Int64, operation: String)
    }

    enum Answer {
        case awaited(Call)
        /// It was given up before.
        case late
        /// There is no such call.
        case unexpected
    }

    private struct Entry {
        var operation: String
        /// nil once it was given up.
        var call: Call?
        var deadline: Duration
    }

    /// How long a plugin may be silent about a call after its deadline.
    static var silenceLimit: Duration { .seconds(2) }

    private var entries: [Int64: Entry] = [:]
    private var lastID: Int64 = 0

    var count: Int { entries.count }
    var isEmpty: Bool { entries.isEmpty }

    /// The calls that have a waiting caller, oldest first.
    var calls: [Call] { entries.sorted { $0.key < $1.key }.compactMap(\.value.call) }

    subscript(id: Int64) -> Call? { entries[id]?.call }

    /// When `expire` is to be called next; nil while nothing is under way.
    var nextDue: Duration? { entries.values.map(Self.due).min() }

    private static func due(_ entry: Entry) -> Duration {
        entry.call == nil ? entry.deadline + silenceLimit : entry.deadline
    }

    /// An id that no call has, for a request of the protocol's own.
    mutating func reserveID() -> Int64 {
        lastID += 1
        return lastID
    }

    /// Returns the id. Ids are never used twice.
    mutating func add(_ call: Call, operation: String, deadline: Duration) -> Int64 {
        let id = reserveID()
        entries[id] = Entry(operation: operation, call: call, deadline: deadline)
        return id
    }

    mutating func answer(_ id: RequestID) -> Answer {
        guard case .number(let number) = id, let entry = entries.removeValue(forKey: number) else { return .unexpected }
        return entry.call.map { .awaited($0) } ?? .late
    }

    /// The caller no longer waits: returns the id to cancel; nil if there is no such call.
    mutating func giveUp(where isGivenUp: (Call) -> Bool) -> Int64? {
        guard let id = entries.first(where: { $0.value.call.map(isGivenUp) ?? false })?.key else { return nil }
        entries[id]?.call = nil
        return id
    }

    /// Takes out a call that was never sent.
    mutating func remove(_ id: Int64) {
        entries[id] = nil
    }

    /// What is due, oldest first. Each call is reported as overdue once, and as silent once.
    mutating func expire(at now: Duration) -> [Expiry] {
        var expiries: [Expiry] = []
        for (id, entry) in entries.sorted(by: { $0.key < $1.key }) where Self.due(entry) <= now {
            if let call = entry.call {
                entries[id]?.call = nil
                expiries.append(.overdue(id: id, call))
            } else {
                entries[id] = nil
                expiries.append(.silent(id: id, operation: entry.operation))
            }
        }
        return expiries
    }

    /// Empties the table of a connection that is gone: those who still wait, oldest first.
    mutating func removeAll() -> [Call] {
        defer { entries = [:] }
        return calls
    }
}
