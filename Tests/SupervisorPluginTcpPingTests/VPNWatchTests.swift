import Glibc
import TestSupport
import Testing

@testable import supervisor_plugin_tcp_ping

@Suite(.timeLimit(.minutes(1)))
struct VPNWatchTests {
    private let root = TemporaryDirectory()

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
        root.directory("run")
        #expect(isWoken(watch))
        #expect(!watch.arm())
        root.directory("run/status")
        #expect(isWoken(watch))
        #expect(!watch.arm())
        root.file("run/status/active")
        #expect(isWoken(watch))
        #expect(watch.arm())
        #expect(isQuiet(watch))
        unlink(root.path + "/run/status/active")
        #expect(isWoken(watch))
        #expect(!watch.arm())
    }

    @Test(arguments: [("run/status", "run/away"), ("run", "moved")])
    func `a directory on the way that is renamed takes the file with it`(from: String, to: String) {
        root.directory("run")
        root.directory("run/status")
        root.file("run/status/active")
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
