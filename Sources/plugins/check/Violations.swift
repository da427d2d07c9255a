/// Collects the first violation of each kind.
final class Violations {
    private(set) var first: [Violation: String] = [:]

    func note(_ violation: Violation, _ text: String) {
        if first[violation] == nil { first[violation] = text }
    }
}
