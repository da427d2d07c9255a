import Glibc
import LinuxSupport
import TestSupport
import Testing

struct UnixSocketAddressTests {
    private static func socket() -> Int32 {
        Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    }

    @Test func `a socket is reached at the path at which it is bound`() throws {
        let files = TemporaryDirectory()
        let address = try #require(UnixSocketAddress(path: files["socket"]))
        let (server, client) = (Self.socket(), Self.socket())
        defer { for descriptor in [server, client] { close(descriptor) } }
        #expect(address.connect(client) == -1 && errno == ENOENT)
        #expect(address.bind(server) == 0)
        #expect(files.exists("socket"))
        #expect(listen(server, 1) == 0)
        #expect(address.connect(client) == 0)
    }

    @Test func `an abstract name is no file`() throws {
        let name = "supervisor-test-\(getpid())"
        let address = try #require(UnixSocketAddress(abstractName: name.utf8))
        let (server, client) = (Self.socket(), Self.socket())
        defer { for descriptor in [server, client] { close(descriptor) } }
        #expect(address.bind(server) == 0)
        #expect(listen(server, 1) == 0)
        #expect(address.connect(client) == 0)
        #expect(!TestFile.exists(name))
    }

    @Test func `what has no room, or would be cut at a NUL, is no address`() {
        #expect(UnixSocketAddress(path: String(repeating: "x", count: 107)) != nil)
        #expect(UnixSocketAddress(path: String(repeating: "x", count: 108)) == nil)
        #expect(UnixSocketAddress(path: "/run/a\0b") == nil)
        #expect(UnixSocketAddress(abstractName: String(repeating: "x", count: 107).utf8) != nil)
        #expect(UnixSocketAddress(abstractName: String(repeating: "x", count: 108).utf8) == nil)
    }
}
