/// The members of a JSON object, in the order in which they were written. Names are unique; two names are
/// the same if their code units are (RFC 8259, section 8.3).
///
/// Look-up is linear: objects of the protocols have a handful of members.
public struct JSONObject: Sendable, Hashable {
    public struct Member: Sendable, Hashable {
        public var name: String
        public var value: JSONValue

        public init(name: String, value: JSONValue) {
            self.name = name
            self.value = value
        }

        public static func == (a: Member, b: Member) -> Bool {
            CodeUnits(a.name) == CodeUnits(b.name) && a.value == b.value
        }

        public func hash(into hasher: inout Hasher) {
            hasher.combine(CodeUnits(name))
            hasher.combine(value)
        }
    }

    public private(set) var members: [Member]

    public init() {
        members = []
    }

    /// Takes members whose names the caller knows to differ, without looking each of them up.
    init(unique members: [Member]) {
        self.members = members
    }

    /// nil where two members have one name. Takes time in proportion to the size of the names.
    public init?(_ members: [Member]) {
        var names = Set<CodeUnits>(minimumCapacity: members.count)
        for member in members {
            guard names.insert(CodeUnits(member.name)).inserted else { return nil }
        }
        self.members = members
    }

    /// Of two members with one name the later value counts, at the place of the first. Takes time in proportion to the size of
    /// the names.
    public init(_ members: some Sequence<(String, JSONValue)>) {
        self.init()
        var places: [CodeUnits: Int] = [:]
        for (name, value) in members {
            guard count >= Self.membersToCompare else {
                self[name] = value
                continue
            }
            if places.isEmpty {
                for (place, member) in self.members.enumerated() { places[CodeUnits(member.name)] = place }
            }
            if let place = places[CodeUnits(name)] {
                self.members[place].value = value
            } else {
                places[CodeUnits(name)] = count
                self.members.append(Member(name: name, value: value))
            }
        }
    }

    /// Members up to which comparing names one by one is cheaper than hashing them.
    static let membersToCompare = 8

    public var isEmpty: Bool { members.isEmpty }
    public var count: Int { members.count }
    public var names: [String] { members.map(\.name) }

    /// Assigning to a new name appends; assigning nil removes.
    public subscript(name: String) -> JSONValue? {
        get { index(of: name).map { members[$0].value } }
        set {
            switch (index(of: name), newValue) {
            case (let index?, let value?): members[index].value = value
            case (let index?, nil): members.remove(at: index)
            case (nil, let value?): members.append(Member(name: name, value: value))
            case (nil, nil): break
            }
        }
    }

    private func index(of name: String) -> Int? {
        members.firstIndex { CodeUnits($0.name) == CodeUnits(name) }
    }
}

extension JSONObject: Sequence {
    public func makeIterator() -> IndexingIterator<[Member]> { members.makeIterator() }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, JSONValue)...) { self.init(elements) }
}
