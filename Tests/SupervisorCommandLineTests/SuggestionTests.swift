import Testing

@testable import SupervisorCommandLine

struct SuggestionTests {
    @Test(
        arguments: [
            ("restart", "restart", 0), ("restrat", "restart", 1), ("restar", "restart", 1), ("sttaus", "status", 1),
            ("", "key", 3), ("kye", "key", 1), ("purge", "pugre", 1), ("abc", "xyz", 3),
        ]
    )
    func `a slip of the fingers counts as one`(one: String, other: String, distance: Int) {
        #expect(Suggestion.distance(Array(one.utf8), Array(other.utf8)) == distance)
    }
}
