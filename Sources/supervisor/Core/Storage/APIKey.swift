/// The API key, and whether it is kept for the next start.
struct APIKey {
    private(set) var text: String
    private var isSaved: Bool
    private var isChanging = false

    init(_ text: String, isSaved: Bool) {
        self.text = text
        self.isSaved = isSaved
    }

    /// Takes the same time wherever the first difference is.
    func accepts(_ other: String) -> Bool {
        let given = Array(other.utf8)
        let wanted = Array(text.utf8)
        // Every byte is looked at, whatever the ones before it were.
        var difference = given.count ^ wanted.count
        for index in wanted.indices {
            difference |= Int(wanted[index] ^ (index < given.count ? given[index] : 0))
        }
        return difference == 0
    }

    // MARK: Saving

    /// A key that could not be kept at start is to be saved again, unless a new one is about to be.
    var needsSaving: Bool { !isSaved && !isChanging }

    /// Returns whether that is the key in use.
    mutating func saved(_ text: String) -> Bool {
        guard text == self.text else { return false }
        isSaved = true
        return true
    }

    // MARK: Changing

    mutating func beginChange() { isChanging = true }

    mutating func endChange() { isChanging = false }

    /// The new key is saved, and in use from now on.
    mutating func replace(by text: String) {
        self.text = text
        isSaved = true
    }
}
