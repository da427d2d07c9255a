/// Why a value cannot be split into items.
struct WordsError: Error {
    var reason: String
}
