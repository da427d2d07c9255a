import JSON

/// Which part of a list is asked for: `?limit=` (1 to 1000, 100 by default) and `?cursor=`, the `next` of the answer before.
struct Page: Sendable {
    let limit: Int
    let after: Int64

    init(_ call: Call) throws(Refusal) {
        let parameters = call.parameters
        guard let limit = Int(parameters["limit"] ?? "100"), (1...1000).contains(limit) else {
            throw Refusal(400, "limit must be 1 to 1000")
        }
        self.limit = limit
        guard let after = Int64(parameters["cursor"] ?? "0") else {
            throw Refusal(400, "cursor must be the next of a list")
        }
        self.after = after
    }

    /// `items` may have more than the page; then there is a next one.
    func answer<Item>(_ items: [Item], _ shown: (Item) -> JSONValue, cursor: (Item) -> String) -> Answer {
        let part = items.prefix(limit)
        let next: JSONValue = items.count > limit ? part.last.map { .string(cursor($0)) } ?? .null : .null
        return Answer(200, ["items": .array(part.map(shown)), "next": next])
    }
}
