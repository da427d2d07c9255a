import CLinux
import Glibc

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
        var (time, parts) = (time_t(seconds), tm())
        var buffer = [CChar](repeating: 0, count: 64)
        // The locale is "C" as long as nothing calls setlocale(3), so that the names are those of the standard.
        guard gmtime_r(&time, &parts) != nil else { return format(0) }
        let count = strftime(&buffer, buffer.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
