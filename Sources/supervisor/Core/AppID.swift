import LinuxSupport

/// The number that an application has at the API server.
public struct AppID: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let number: Int64

    public init(_ number: Int64) {
        self.number = number
    }

    /// Takes digits only, as the HTTP API and the target state have them; nil for anything else.
    public init?(digits text: some StringProtocol) {
        guard text.utf8.isDecimal, let number = Int64(text) else {
            return nil
        }
        self.number = number
    }

    public static func < (a: AppID, b: AppID) -> Bool { a.number < b.number }

    public var description: String { String(number) }
}
