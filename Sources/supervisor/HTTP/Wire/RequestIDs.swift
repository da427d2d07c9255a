import LinuxSupport

/// Names requests for the log and for X-Request-Id.
struct RequestIDs {
    /// Distinguishes the requests of one run of the process from those of another.
    private let prefix: String
    private var count: UInt64 = 0

    private static let alphabet = Array("0123456789abcdefghijklmnopqrstuvwxyz")

    init() {
        prefix = String((0..<5).compactMap { _ in Self.alphabet.randomElement() }) + "-"
    }

    /// The client's own id where it is 1 to 128 characters of `[A-Za-z0-9._-]`, else a new one.
    mutating func id(given: String?) -> String {
        if let given, Self.isValid(given) { return given }
        count &+= 1
        return prefix + String(count, radix: 36)
    }

    static func isValid(_ id: String) -> Bool {
        (1...128).contains(id.utf8.count)
            && id.utf8.allSatisfy { byte in
                byte.isASCIILetter || byte.isASCIIDigit || "._-".utf8.contains(byte)
            }
    }
}
