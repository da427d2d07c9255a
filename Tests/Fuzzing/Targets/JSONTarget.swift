import JSON

/// The JSON codec: what is read, is written and read again as the same.
struct JSONTarget: FuzzTarget {
    func run(_ input: [UInt8]) {
        guard let value = try? JSONValue(parsing: input) else { return }
        let text = value.encoded()
        guard let again = try? JSONValue(parsing: text) else { preconditionFailure("what was written cannot be read") }
        // A double without a fraction is written as a whole number, and read as one.
        precondition(again.encoded() == text, "what was written reads as something else")
        precondition(again != value || again.hashValue == value.hashValue, "equal values have different hashes")
        _ = value["id"]?.plainValue
        guard let object = value.objectValue else { return }
        let copy = JSONObject(object.map { ($0.name, $0.value) })
        precondition(copy == object, "an object is not the sum of its members")
    }
}
