extension String {
    /// Whether `phrase` stands anywhere in it, byte by byte.
    ///
    /// Not `contains(_:)` of the standard library, which brings the regular expression engine into the process.
    func mentions(_ phrase: String) -> Bool {
        let text = Array(utf8)
        let wanted = Array(phrase.utf8)
        guard text.count >= wanted.count else { return false }
        return (0...(text.count - wanted.count)).contains { text[$0...].starts(with: wanted) }
    }
}
