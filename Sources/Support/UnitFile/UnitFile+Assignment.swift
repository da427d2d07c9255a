import LinuxSupport

extension UnitFile {
    /// One `KEY=VALUE`, and what its value says as one type or another.
    ///
    /// Each accessor throws an `invalidValue` that reads `FILE:LINE: [Section] Key: what is wrong; allowed: …`.
    public struct Assignment: Sendable, Hashable {
        public var section: String
        public var key: String
        /// The value without the white space around it; quotes and escapes are as in the file.
        public var text: String
        public var location: Location

        public init(section: String, key: String, text: String, location: Location) {
            self.section = section
            self.key = key
            self.text = text
            self.location = location
        }
    }
}

extension UnitFile.Assignment {
    /// The error to throw for this value. `allowed` describes the valid ones.
    public func error(_ reason: String, allowed: String) -> UnitFileError {
        UnitFileError(
            .invalidValue,
            file: location.file,
            line: location.line,
            reason: "[\(section)] \(key): \(reason); allowed: \(allowed)"
        )
    }

    /// The value in quotes, cut and escaped as far as it takes to show it in one line.
    public var shown: String { (text.utf8.count > 60 ? text.cut(toBytes: 60) + "…" : text).debugDescription }

    /// 1, yes, true, on or 0, no, false, off; small and capital letters are the same.
    public func bool() throws(UnitFileError) -> Bool {
        func isOne(of words: [String]) -> Bool {
            words.contains { text.utf8.map(\.lowercasedASCII).elementsEqual($0.utf8) }
        }
        if isOne(of: ["1", "yes", "true", "on"]) { return true }
        if isOne(of: ["0", "no", "false", "off"]) { return false }
        throw error("\(shown) is neither yes nor no", allowed: "yes, no, true, false, on, off, 1, 0")
    }

    /// A decimal number.
    public func integer(in range: ClosedRange<Int>) throws(UnitFileError) -> Int {
        let allowed = "\(range.lowerBound) to \(range.upperBound)"
        guard text.utf8.dropFirst(text.begins(with: "-") ? 1 : 0).isDecimal else {
            throw error("\(shown) is not a whole number", allowed: allowed)
        }
        guard let number = Int(text), range.contains(number) else {
            throw error("\(text.utf8.count > 20 ? shown : text) is out of range", allowed: allowed)
        }
        return number
    }

    /// A time span of systemd.time(7): a whole number of seconds, or whole numbers with units that are added up, such as
    /// `1min 30s`. Units are those of `TimeSpan.units`.
    public func duration(in range: ClosedRange<Duration>) throws(UnitFileError) -> Duration {
        let allowed = "\(TimeSpan.text(of: range.lowerBound)) to \(TimeSpan.text(of: range.upperBound))"
        guard let microseconds = TimeSpan.microseconds(in: text) else {
            throw error("\(shown) is not a time span such as 90, 5s or 1min 30s", allowed: allowed)
        }
        let duration = Duration.microseconds(microseconds)
        guard range.contains(duration) else { throw error("\(shown) is out of range", allowed: allowed) }
        return duration
    }

    /// The items between white space. As in systemd.syntax(7) an item may stand in double or single quotes, and a
    /// backslash escapes: `\\ \" \' \s` (space) `\a \b \f \n \r \t \v`. The escapes by number are not supported.
    public func words() throws(UnitFileError) -> [String] {
        do {
            return try Words.split(text)
        } catch {
            throw self.error(
                error.reason,
                allowed: "items separated by white space; an item with white space in it must be quoted"
            )
        }
    }
}
