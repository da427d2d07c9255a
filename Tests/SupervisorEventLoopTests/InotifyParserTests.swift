import CLinux
import NIOCore
import Testing

@testable import SupervisorEventLoop

struct InotifyParserTests {
    private static func bytes(_ watch: Int32, _ mask: Int32, name: String, padded: Int) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeMultipleIntegers(watch, UInt32(mask), UInt32(0), UInt32(padded), endianness: .host)
        bytes.writeString(name)
        bytes.writeRepeatingByte(0, count: padded - name.utf8.count)
        return bytes
    }

    private static var stream: ByteBuffer {
        var stream = bytes(1, IN_CREATE, name: "updates.lock", padded: 16)
        stream.writeImmutableBuffer(bytes(2, IN_ATTRIB, name: "", padded: 0))
        stream.writeImmutableBuffer(bytes(1, IN_DELETE, name: "a", padded: 16))
        return stream
    }

    @Test(arguments: [1, 3, 15, 16, 17, 31, 32, 33, 80])
    func `events are read however they are cut`(size: Int) {
        var stream = Self.stream
        var parser = InotifyParser()
        var events: [InotifyEvent] = []
        while stream.readableBytes > 0 {
            let piece = stream.readSlice(length: min(size, stream.readableBytes)) ?? ByteBuffer()
            events += parser.parse(piece)
        }
        #expect(
            events == [
                InotifyEvent(watch: 1, mask: UInt32(IN_CREATE), name: "updates.lock"),
                InotifyEvent(watch: 2, mask: UInt32(IN_ATTRIB), name: nil),
                InotifyEvent(watch: 1, mask: UInt32(IN_DELETE), name: "a"),
            ]
        )
    }

    @Test func `a name of 255 bytes is read whole`() {
        let name = String(repeating: "n", count: 255)
        var parser = InotifyParser()
        #expect(parser.parse(Self.bytes(1, IN_CREATE, name: name, padded: 256)).first?.name == name)
    }

    @Test func `a length that no kernel writes counts as lost events, and the next read is understood`() {
        var parser = InotifyParser()
        #expect(parser.parse(Self.bytes(1, IN_CREATE, name: "", padded: 4096)) == [.overflow])
        #expect(parser.parse(Self.stream).count == 3)
    }

    @Test func `bytes that are not UTF-8 do not stop an event`() {
        var bytes = ByteBuffer()
        bytes.writeMultipleIntegers(Int32(1), UInt32(IN_CREATE), UInt32(0), UInt32(16), endianness: .host)
        bytes.writeBytes([0x66, 0xFF] + [UInt8](repeating: 0, count: 14))
        var parser = InotifyParser()
        #expect(parser.parse(bytes).first?.name == "f\u{FFFD}")
    }
}
