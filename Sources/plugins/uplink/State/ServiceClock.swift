import JSON
import LinuxSupport
import SupervisorPorts

/// The service's time, told from the clock that runs since the boot: the device's own calendar may be years off.
struct ServiceClock: Sendable {
    /// The service's milliseconds since 1970 less ours since the boot; nil until the service has named its time.
    private(set) var offset: Int64?

    /// The service has named its time between two readings of our clock.
    mutating func set(serviceTime: Int64, sent: Duration, received: Duration) {
        offset = serviceTime - Self.milliseconds((sent + received) / 2)
    }

    /// In milliseconds since 1970; nil while it is not known.
    func now(_ clock: any SupervisorClock) -> Int64? {
        offset.map { $0 + Self.milliseconds(clock.now) }
    }

    private static func milliseconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }

    /// A moment of the service in milliseconds since 1970: a number of these, or a text as in RFC 3339, in UTC.
    static func moment(_ value: JSONValue?) -> Int64? {
        if let number = value?.integerValue { return number >= 0 ? number : nil }
        guard let text = value?.plainValue, (20...30).contains(text.utf8.count) else { return nil }
        // 2026-11-28T09:00:00.123Z
        let bytes = Array(text.utf8)
        let separators: [(Int, String)] = [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")]
        guard separators.allSatisfy({ bytes[$0.0] == $0.1.utf8.first }), bytes.last == UInt8(ascii: "Z") else {
            return nil
        }
        func number(_ range: Range<Int>) -> Int64? {
            let digits = bytes[range]
            return digits.isDecimal ? Int64(String(decoding: digits, as: UTF8.self)) : nil
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
            let minute = number(14..<16), let second = number(17..<19), (1...12).contains(month),
            (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        var milliseconds: Int64 = 0
        if bytes.count > 20 {
            let fraction = bytes[20..<(bytes.count - 1)]
            guard bytes[19] == UInt8(ascii: "."), fraction.isDecimal else { return nil }
            let digits = (Array(fraction) + Array("00".utf8)).prefix(3)
            milliseconds = Int64(String(decoding: digits, as: UTF8.self)) ?? 0
        }
        return ((days(year, month, day) * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + milliseconds
    }

    /// Days from 1970-01-01, in the Gregorian calendar: years begin in March here, so that the leap day is the last.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let era = year / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }
}
