import Glibc
import Testing

@testable import SupervisorSystemd

@Suite(.serialized)
struct ServiceNotifierTests {
    @Test func `each message is what sd_notify would send`() {
        let manager = Receiver()
        let notifier = ServiceNotifier(path: manager.path, watchdogInterval: nil)
        notifier.ready()
        #expect(manager.nextText() == "READY=1")
        notifier.ready(status: "Idle")
        #expect(manager.nextText() == "READY=1\nSTATUS=Idle")
        notifier.status("Downloading: 42 %")
        #expect(manager.nextText() == "STATUS=Downloading: 42 %")
        notifier.feedWatchdog()
        #expect(manager.nextText() == "WATCHDOG=1")
        notifier.stopping(status: "Finishing")
        #expect(manager.nextText() == "STOPPING=1\nSTATUS=Finishing")
    }

    @Test func `a reload carries the monotonic time`() throws {
        let manager = Receiver()
        ServiceNotifier(path: manager.path, watchdogInterval: nil).reloading()
        let lines = try #require(manager.nextText()).split(separator: "\n")
        #expect(lines.first == "RELOADING=1")
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let time = try #require(Int(lines[1].dropFirst("MONOTONIC_USEC=".count)))
        #expect(abs(now.tv_sec * 1_000_000 + now.tv_nsec / 1000 - time) < 30_000_000)
    }

    @Test func `a status cannot smuggle in another assignment`() {
        let manager = Receiver()
        ServiceNotifier(path: manager.path, watchdogInterval: nil).status("bad\r\nMAINPID=1\nx")
        #expect(manager.nextText() == "STATUS=bad MAINPID=1 x")
    }

    @Test func `a manager that is stuck holds nobody up for long`() {
        let manager = Receiver()
        let notifier = ServiceNotifier(path: manager.path, watchdogInterval: nil)
        // Twice the longest queue that Linux has by default (net.unix.max_dgram_qlen) would be 1024; a stop at the first
        // that did not get through keeps the test short.
        let start = ContinuousClock.now
        var sent = 0
        let socket = DatagramSocket(path: manager.path, patience: nil)
        while sent < 5000, socket?.send([0x78]) == true { sent += 1 }
        notifier.status("late")
        #expect(ContinuousClock.now - start < .seconds(10))
        #expect(sent < 5000)
    }

    @Test func `the environment keeps nothing for children`() {
        let manager = Receiver()
        setenv("NOTIFY_SOCKET", manager.path, 1)
        setenv("WATCHDOG_USEC", "30000000", 1)
        setenv("WATCHDOG_PID", "\(getpid())", 1)
        let notifier = ServiceNotifier.fromEnvironment()
        #expect(notifier.isActive)
        #expect(notifier.watchdogInterval == .seconds(30))
        for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] { #expect(getenv(name) == nil) }
        notifier.ready()
        #expect(manager.nextText() == "READY=1")
    }

    @Test func `a watchdog meant for another process is not ours`() {
        setenv("WATCHDOG_USEC", "30000000", 1)
        setenv("WATCHDOG_PID", "1", 1)
        #expect(ServiceNotifier.fromEnvironment().watchdogInterval == nil)
    }

    @Test(arguments: [nil, "", "relative", "vsock:2:1", "/" + String(repeating: "x", count: 200)])
    func `without a socket to talk to nothing happens`(path: String?) {
        let notifier = ServiceNotifier(path: path, watchdogInterval: nil)
        #expect(!notifier.isActive)
        notifier.ready(status: "Idle")
    }
}
