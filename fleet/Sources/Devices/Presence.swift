import JSON
import NIOConcurrencyHelpers
import NIOCore

/// Which devices the bus has reported as connected, and since when (milliseconds since 1970).
///
/// It is for lists and the page. Whether a device can be called shows only when it is called.
final class Presence: Sendable {
    struct Entry: Sendable {
        var connections = 0
        var since: Int64 = 0
    }

    private let entries = NIOLockedValueBox<[String: Entry]>([:])

    func connected(_ uuid: String, at time: Int64) {
        entries.withLockedValue { entries in
            var entry = entries[uuid] ?? Entry()
            entry.connections += 1
            if entry.connections == 1 { entry.since = time }
            entries[uuid] = entry
        }
    }

    /// Whether the device's last connection has ended.
    func disconnected(_ uuid: String, at time: Int64) -> Bool {
        entries.withLockedValue { entries in
            guard var entry = entries[uuid] else { return false }
            entry.connections = max(0, entry.connections - 1)
            if entry.connections == 0 { entry.since = time }
            entries[uuid] = entry
            return entry.connections == 0
        }
    }

    func entry(of uuid: String) -> (isConnected: Bool, since: Int64)? {
        entries.withLockedValue { $0[uuid].map { (isConnected: $0.connections > 0, since: $0.since) } }
    }

    var connectedCount: Int { entries.withLockedValue { $0.values.count { $0.connections > 0 } } }

    /// The uuid in an event of the bus; nil for a connection that is not a device's.
    static func device(in payload: ByteBuffer) -> String? {
        guard let event = try? JSONValue(parsing: payload.readableBytesView),
            let name = event["client"]?["name_tag"]?.plainValue, FleetDevice.isUUID(name)
        else { return nil }
        return name
    }
}
