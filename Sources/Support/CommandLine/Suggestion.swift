/// What may have been meant.
enum Suggestion {
    /// "; did you mean start or status?", or nothing.
    static func text(for written: String, among names: [String]) -> String {
        let near = nearest(to: written, among: names)
        guard let last = near.last else { return "" }
        let others = near.dropLast().joined(separator: ", ")
        return "; did you mean \(others.isEmpty ? last : "\(others) or \(last)")?"
    }

    /// The names that are a typing slip away from `written`, or begin with it: all that are equally near, three at most.
    static func nearest(to written: String, among names: [String]) -> [String] {
        let typed = bytes(written)
        guard typed.contains(where: { $0 != UInt8(ascii: "-") }), typed.count <= 64 else { return [] }
        let rated = names.map { name in
            let wanted = bytes(name)
            return (name: name, distance: wanted.starts(with: typed) ? 1 : distance(typed, wanted))
        }
        guard let least = rated.map(\.distance).min() else { return [] }
        let letters = typed.count { $0 != UInt8(ascii: "-") }
        guard least <= max(1, letters / 3) else { return [] }
        return rated.filter { $0.distance == least }.prefix(3).map(\.name)
    }

    private static func bytes(_ text: String) -> [UInt8] { Array(text.lowercased().utf8) }

    /// How many bytes must be inserted, removed or replaced, or neighbours swapped, to get from one to the other, no byte
    /// more than once: the optimal string alignment distance.
    static func distance(_ one: [UInt8], _ other: [UInt8]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...other.count)
        for i in one.indices {
            var row = [i + 1]
            for j in other.indices {
                let isSame = one[i] == other[j]
                var cost = min(last[j + 1] + 1, row[j] + 1, last[j] + (isSame ? 0 : 1))
                if i > 0, j > 0, one[i] == other[j - 1], one[i - 1] == other[j] {
                    cost = min(cost, beforeLast[j - 1] + 1)
                }
                row.append(cost)
            }
            (beforeLast, last) = (last, row)
        }
        return last[other.count]
    }
}
