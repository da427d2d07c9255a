import JSON

/// An object of a target state together with its path.
struct TargetObject {
    let json: JSONObject
    let path: String

    /// A name that is long is cut: a path is to be read.
    func path(of name: String) -> String {
        let name = name.shortened(to: 100)
        return path.isEmpty ? name : "\(path).\(name)"
    }

    var members: [(name: String, member: TargetMember)] {
        json.map { ($0.name, TargetMember($0.value, path(of: $0.name))) }
    }

    /// nil for an absent member and for null.
    subscript(name: String) -> TargetMember? {
        guard let value = json[name], !value.isNull else { return nil }
        return TargetMember(value, path(of: name))
    }

    func required(_ name: String) throws(TargetError) -> TargetMember {
        guard let member = self[name] else { throw TargetError(place: path(of: name), reason: "is missing") }
        return member
    }

    /// For unknown members that would change what runs if they were understood.
    func refuseUnknown(known: [String]) throws(TargetError) {
        for (name, member) in members where !name.isKeyword || !known.contains(name) {
            throw TargetError(
                place: member.path,
                reason: "\(name.shortened(to: 100)) is not one of \(known.joined(separator: ", "))"
            )
        }
    }
}
