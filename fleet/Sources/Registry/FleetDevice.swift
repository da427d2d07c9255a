/// A device as the registry knows it. Times are milliseconds since 1970.
struct FleetDevice: Sendable {
    var id: Int64
    var uuid: String
    var application: Int64
    var name: String
    var deviceType: String
    /// SHA-256 of the device key, in hexadecimal digits.
    var keyHash: String
    /// Whether the device has used its own key; from then on the key can be exchanged only where an operator allows it.
    var keyUsed: Bool
    /// Until when an operator has allowed the exchange.
    var resetUntil: Int64
    var supervisorVersion: String
    var osVersion: String
    var osVariant: String
    var macAddress: String
    var ipAddress: String
    var status: String
    var runningCommit: String?
    var pinnedCommit: String?
    var created: Int64
    var lastPoll: Int64?
    var lastReport: Int64?
    var revoked: Bool

    /// Whether a text is a uuid: 32 or 62 lower-case hexadecimal digits. It becomes part of a subject of the bus and of
    /// permissions, where `*` or `.` would have a meaning.
    static func isUUID(_ text: String) -> Bool {
        let bytes = text.utf8
        return (bytes.count == 32 || bytes.count == 62)
            && bytes.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }
}
