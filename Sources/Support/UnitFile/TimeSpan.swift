/// Reads the time spans of systemd.time(7), whole numbers only.
enum TimeSpan {
    /// Names of units with their length in microseconds.
    static let units: [String: Int64] = {
        let names: [(Int64, [String])] = [
            (1, ["us", "usec", "µs", "μs"]),
            (1000, ["ms", "msec"]),
            (1_000_000, ["s", "sec", "second", "seconds"]),
            (60_000_000, ["m", "min", "minute", "minutes"]),
            (3_600_000_000, ["h", "hr", "hour", "hours"]),
            (86_400_000_000, ["d", "day", "days"]),
            (604_800_000_000, ["w", "week", "weeks"]),
        ]
        return Dictionary(names.flatMap { length, names in names.map { ($0, length) } }) { first, _ in first }
    }()

    /// nil for a text that is not a time span, and for a value that does not fit.
    static func microseconds(in text: String) -> Int64? {
        var rest = text.unicodeScalars[...]
        var total: Int64 = 0
        var count = 0
        var lacksUnit = false
        while !rest.isEmpty {
            let digits = rest.prefix { ("0"..."9").contains($0) }
            guard let number = Int64(String(digits)) else { return nil }
            rest = rest[digits.endIndex...].drop(while: UnitFile.isSpace)
            let name = rest.prefix { !("0"..."9").contains($0) && !UnitFile.isSpace($0) }
            rest = rest[name.endIndex...].drop(while: UnitFile.isSpace)
            lacksUnit = lacksUnit || name.isEmpty
            // Longer than any of them.
            guard String(name).utf8.count <= 16, let unit = units[name.isEmpty ? "s" : String(name)] else { return nil }
            let (length, isTooLong) = number.multipliedReportingOverflow(by: unit)
            let (sum, isTooMuch) = total.addingReportingOverflow(length)
            if isTooLong || isTooMuch { return nil }
            total = sum
            count += 1
        }
        // "1 30" is more likely a unit forgotten than 31 seconds.
        return count == 0 || (lacksUnit && count > 1) ? nil : total
    }

    /// In the largest unit that needs no fraction, down to milliseconds.
    static func text(of duration: Duration) -> String {
        let milliseconds = duration / .milliseconds(1)
        for (name, length) in [("d", 86_400_000.0), ("h", 3_600_000), ("min", 60_000), ("s", 1000)]
        where milliseconds >= length && milliseconds.truncatingRemainder(dividingBy: length) == 0 {
            return "\(Int64(milliseconds / length))\(name)"
        }
        return "\(Int64(milliseconds))ms"
    }
}
