/// The value of a Date header (IMF-fixdate of RFC 9110, section 5.6.7), made once per second.
struct HTTPDate {
    private var second: Int64
    private var text: String

    init() {
        second = 0
        text = Self.format(0)
    }

    /// - Parameter seconds: since 1970, UTC.
    mutating func text(at seconds: Int64) -> String {
        if seconds != second {
            second = seconds
            text = Self.format(seconds)
        }
        return text
    }

    /// - Parameter seconds: since 1970, UTC; a clock that was never set may be before it.
    static func format(_ seconds: Int64) -> String {
        let secondsPerDay: Int64 = 86_400
        let days = (seconds - (seconds % secondsPerDay + secondsPerDay) % secondsPerDay) / secondsPerDay
        let time = Int(seconds - days * secondsPerDay)
        let date = CivilDate(daysSince1970: Int(days))
        // 1 January 1970 was a Thursday.
        let weekday = ((Int(days) + 4) % 7 + 7) % 7
        let clock = [time / 3600, time / 60 % 60, time % 60].map { padded($0, to: 2) }.joined(separator: ":")
        return "\(weekdays[weekday]), \(padded(date.day, to: 2)) \(months[date.month - 1]) "
            + "\(padded(date.year, to: 4)) \(clock) GMT"
    }

    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static func padded(_ number: Int, to digits: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}

/// A day of the Gregorian calendar.
private struct CivilDate {
    let year: Int
    let month: Int
    let day: Int

    /// Counts in eras of 400 years that begin on 1 March, so that the leap day is the last of its year.
    init(daysSince1970 days: Int) {
        let daysPerEra = 146_097
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - daysPerEra + 1) / daysPerEra
        let dayOfEra = shifted - era * daysPerEra
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }
}
