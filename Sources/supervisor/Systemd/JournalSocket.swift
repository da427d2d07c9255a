import Synchronization

/// The journal's own socket.
///
/// Speaks systemd's native journal protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL), one datagram per entry, and
/// never waits: sd_journal_sendv(3) blocks while the journal's queue is full, which would stop the event loop, or the
/// thread that writes state, for as long as the journal is stuck. An entry that the queue has no room for is dropped and
/// counted; the next one that gets through is preceded by one that says how many are missing.
public final class JournalSocket: Sendable {
    /// Where systemd has it.
    public static let standardPath = "/run/systemd/journal/socket"

    /// Bytes of a value at most. A datagram must stay well below the kernel's default send buffer of 208 KiB.
    static let longestValue = 32 * 1024

    private let identifier: String
    private let socket: DatagramSocket
    private let dropped = Mutex(0)

    /// `identifier` is what journalctl shows before the process id. nil where there is no descriptor to be had.
    public init?(identifier: String = "device-supervisor", path: String = JournalSocket.standardPath) {
        guard let socket = DatagramSocket(path: path, patience: nil) else { return nil }
        self.identifier = identifier
        self.socket = socket
    }

    func send(priority: Int, message: String, fields: [(name: String, value: String)]) {
        dropped.withLock { dropped in
            if dropped > 0 {
                let confession = entry(4, "\(dropped) log messages were dropped: the journal accepted no more", [])
                guard socket.send(confession) else {
                    dropped += 1
                    return
                }
                dropped = 0
            }
            if !socket.send(entry(priority, message, fields)) { dropped += 1 }
        }
    }

    private func entry(_ priority: Int, _ message: String, _ fields: [(name: String, value: String)]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(128 + message.utf8.count)
        Self.append("MESSAGE", message, to: &bytes)
        Self.append("PRIORITY", "\(priority)", to: &bytes)
        Self.append("SYSLOG_IDENTIFIER", identifier, to: &bytes)
        for field in fields { Self.append(field.name, field.value, to: &bytes) }
        return bytes
    }

    /// NAME=value and a line feed; a value with a line feed in it as NAME, line feed, its length as 64 bits little
    /// endian, value, line feed.
    static func append(_ name: String, _ value: String, to bytes: inout [UInt8]) {
        var value = Array(value.utf8)
        LogText.shorten(&value, to: longestValue)
        bytes.append(contentsOf: name.utf8)
        if value.contains(0x0A) {
            bytes.append(0x0A)
            withUnsafeBytes(of: UInt64(value.count).littleEndian) { bytes.append(contentsOf: $0) }
        } else {
            bytes.append(UInt8(ascii: "="))
        }
        bytes.append(contentsOf: value)
        bytes.append(0x0A)
    }
}
