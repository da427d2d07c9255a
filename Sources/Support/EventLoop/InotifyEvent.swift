import CLinux
public import NIOCore

/// One `struct inotify_event` of inotify(7).
public struct InotifyEvent: Sendable, Hashable {
    /// The watch descriptor; -1 with an overflow.
    public var watch: Int32
    /// Bits IN_….
    public var mask: UInt32
    /// The entry of the directory; nil where the event is about the directory itself. Bytes that are not UTF-8 are
    /// replaced.
    public var name: String?

    public init(watch: Int32, mask: UInt32, name: String? = nil) {
        self.watch = watch
        self.mask = mask
        self.name = name
    }

    /// Represents events that were lost.
    public static let overflow = InotifyEvent(watch: -1, mask: UInt32(IN_Q_OVERFLOW))

    public func has(_ bits: Int32) -> Bool { mask & UInt32(bits) != 0 }
}

/// Reads events out of a stream of bytes that may be cut anywhere.
public struct InotifyParser: Sendable {
    /// NAME_MAX of limits.h, the NUL, and the padding to the next event.
    private static let longestName = 255 + 1 + 16

    private var rest = ByteBuffer()

    public init() {}

    /// The events that are complete now. Bytes that no kernel writes count as lost events.
    public mutating func parse(_ bytes: ByteBuffer) -> [InotifyEvent] {
        rest.writeImmutableBuffer(bytes)
        var events: [InotifyEvent] = []
        while true {
            var ahead = rest
            // wd, mask, cookie, len; then len bytes of the name, filled up with NUL.
            guard
                let (watch, mask, _, length) = ahead.readMultipleIntegers(
                    endianness: .host,
                    as: (Int32, UInt32, UInt32, UInt32).self
                )
            else { break }
            guard length <= Self.longestName else {
                rest.clear()
                events.append(.overflow)
                break
            }
            guard let name = ahead.readSlice(length: Int(length)) else { break }
            let text = name.readableBytesView.prefix { $0 != 0 }
            events.append(
                InotifyEvent(watch: watch, mask: mask, name: text.isEmpty ? nil : String(decoding: text, as: UTF8.self))
            )
            rest = ahead
        }
        if rest.readableBytes == 0 { rest = ByteBuffer() }
        return events
    }
}
