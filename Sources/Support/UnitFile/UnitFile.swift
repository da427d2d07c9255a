/// The contents of a file in the syntax of systemd.syntax(7), or of several merged into one: sections with assignments
/// in the order in which they were read.
///
/// Only the syntax is interpreted here. The reader of the file knows the keys, their meaning, and whether they may be
/// repeated: it uses `last(_:in:)` for a single value, `all(_:in:)` for a list.
public struct UnitFile: Sendable, Hashable {
    /// Where an assignment was read.
    public struct Location: Sendable, Hashable, CustomStringConvertible {
        public var file: String
        /// 1-based; of a continued line the first one.
        public var line: Int

        public init(file: String, line: Int) {
            self.file = file
            self.line = line
        }

        public var description: String { "\(file):\(line)" }
    }

    /// A line `[Name]`. Later ones of the same name continue the section.
    public struct Header: Sendable, Hashable {
        public var section: String
        public var location: Location
    }

    /// Every section header, sections that stay empty included.
    public internal(set) var headers: [Header] = []
    public internal(set) var assignments: [Assignment] = []

    public init() {}

    /// Appends the assignments of `other`: its single values win, lists grow.
    public mutating func append(_ other: UnitFile) {
        headers += other.headers
        assignments += other.assignments
    }

    /// The names of the keys that are assigned in a section, each once, by their first assignment.
    public func keys(in section: String) -> [String] {
        var seen: Set<String> = []
        return assignments.filter { $0.section == section && seen.insert($0.key).inserted }.map(\.key)
    }

    /// Every assignment of a key, empty ones included, in the order in which they were read.
    public func assignments(of key: String, in section: String) -> [Assignment] {
        assignments.filter { $0.section == section && $0.key == key }
    }

    /// The assignment that counts for a single value; nil where there is none and where the last one is empty, which
    /// asks for the default.
    public func last(_ key: String, in section: String) -> Assignment? {
        let last = assignments.last { $0.section == section && $0.key == key }
        return last?.text.isEmpty == true ? nil : last
    }

    /// The assignments that make up a list: those after the last empty one. nil where the key is not assigned at all,
    /// so that the default counts; an empty array where the list was emptied.
    public func all(_ key: String, in section: String) -> [Assignment]? {
        let all = assignments.filter { $0.section == section && $0.key == key }
        if all.isEmpty { return nil }
        let reset = all.lastIndex { $0.text.isEmpty }
        return Array(all[(reset.map { $0 + 1 } ?? 0)...])
    }
}
