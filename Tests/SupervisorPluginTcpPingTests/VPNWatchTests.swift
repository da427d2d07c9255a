import Glibc
import Testing

@testable import supervisor_plugin_tcp_ping

@Suite(.timeLimit(.minutes(1)))
struct VPNWatchTests {
    /// A directory of a test's own; what is in it is removed by name.
    private final class Root: Sendable {
        let path: String

        init() {
            var template = Array("/tmp/vpn-test-XXXXXX".utf8CString)
            guard let made = mkdtemp(&template) else { preconditionFailure("mkdtemp") }
            path = String(cString: made)
        }

        deinit {
            for name in ["run/status/active", "run/away/active", "moved/status/active"] { unlink("\(path)/\(name)") }
            for name in ["run/status", "run/away", "run", "moved/status", "moved"] { rmdir("\(path)/\(name)") }
            rmdir(path)
        }

        func make(_ name: String) { mkdir("\(path)/\(name)", 0o755) }
        func touch(_ name: String) { close(open("\(path)/\(name)", O_WRONLY | O_CREAT, 0o644)) }
    }

    private let root = Root()

    /// Whether something is to be read within a second.
    private func isWoken(_ watch: VPNWatch) -> Bool {
        var poller = pollfd(fd: watch.descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&poller, 1, 1000) > 0
    }

    private func isQuiet(_ watch: VPNWatch) -> Bool {
        var poller = pollfd(fd: watch.descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&poller, 1, 50) == 0
    }

    @Test func `a file is noticed although its directories come later`() {
        let watch = VPNWatch(path: root.path + "/run/status/active")
        #expect(!watch.arm())
        #expect(isQuiet(watch))
        root.make("run")
        #expect(isWoken(watch))
        #expect(!watch.arm())
        root.make("run/status")
        #expect(isWoken(watch))
        #expect(!watch.arm())
        root.touch("run/status/active")
        #expect(isWoken(watch))
        #expect(watch.arm())
        #expect(isQuiet(watch))
        unlink(root.path + "/run/status/active")
        #expect(isWoken(watch))
        #expect(!watch.arm())
    }

    @Test(arguments: [("run/status", "run/away"), ("run", "moved")])
    func `a directory on the way that is renamed takes the file with it`(from: String, to: String) {
        root.make("run")
        root.make("run/status")
        root.touch("run/status/active")
        let watch = VPNWatch(path: root.path + "/run/status/active")
        #expect(watch.arm())
        rename("\(root.path)/\(from)", "\(root.path)/\(to)")
        #expect(isWoken(watch))
        #expect(!watch.arm())
        rename("\(root.path)/\(to)", "\(root.path)/\(from)")
        #expect(isWoken(watch))
        #expect(watch.arm())
    }
}
