import LinuxSupport

extension String {
    /// Whether `phrase`, which is in lower case, stands anywhere in it, byte by byte and in either case.
    ///
    /// Not `contains(_:)` of the standard library, which brings the regular expression engine into the process.
    func mentions(_ phrase: String) -> Bool {
        utf8.map(\.lowercasedASCII).mentions(phrase)
    }
}

extension [UInt8] {
    /// As a String's, for bytes that are in lower case already.
    func mentions(_ phrase: String) -> Bool {
        let wanted = Array(phrase.utf8)
        guard count >= wanted.count else { return false }
        return (0...(count - wanted.count)).contains { self[$0...].starts(with: wanted) }
    }
}
