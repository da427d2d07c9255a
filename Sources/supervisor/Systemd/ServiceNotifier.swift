import CLinux
import Glibc

/// Reports the state of the service to the service manager (sd_notify(3), systemd.service(5) Type=notify). Does nothing
/// if no service manager asks for it.
///
/// Speaks the protocol of sd_notify(3) by itself: the library looks NOTIFY_SOCKET up in the environment at each call,
/// but the environment is also what children get, and a child that inherits it could speak in the service's name.
public final class ServiceNotifier: Sendable {
    private let socket: DatagramSocket?

    /// How often `feedWatchdog()` must be called at least; nil where the manager does not watch. Twice as often is
    /// usual.
    public let watchdogInterval: Duration?

    /// `path` is the value of NOTIFY_SOCKET.
    init(path: String?, watchdogInterval: Duration?) {
        // The manager reads its socket all the time; should it be stuck, so may we be, but not for long.
        socket = path.flatMap { DatagramSocket(path: $0, patience: .milliseconds(250)) }
        self.watchdogInterval = watchdogInterval
    }

    /// Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment. Call it before any thread starts:
    /// changing the environment is not safe beside one that reads it (setenv(3)).
    public static func fromEnvironment() -> ServiceNotifier {
        let path = getenv("NOTIFY_SOCKET").map { String(cString: $0) }
        unsetenv("NOTIFY_SOCKET")
        return ServiceNotifier(path: path, watchdogInterval: watchdogInterval())
    }

    /// As sd_watchdog_enabled(3) has it: nil unless both variables are sound and this process is meant.
    private static func watchdogInterval() -> Duration? {
        defer {
            unsetenv("WATCHDOG_USEC")
            unsetenv("WATCHDOG_PID")
        }
        guard let text = getenv("WATCHDOG_USEC"), let microseconds = Int64(String(cString: text)), microseconds > 0
        else {
            return nil
        }
        if let process = getenv("WATCHDOG_PID"), pid_t(String(cString: process)) != getpid() { return nil }
        return .microseconds(microseconds)
    }

    /// Whether the service manager listens.
    public var isActive: Bool { socket != nil }

    /// Start-up, or a reload, is over.
    public func ready(status: String? = nil) {
        send(["READY=1"] + line(status))
    }

    /// What systemctl status shows: one line.
    public func status(_ text: String) {
        send(line(text))
    }

    /// A reload begins; `ready()` ends it.
    public func reloading() {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        send(["RELOADING=1", "MONOTONIC_USEC=\(time.tv_sec * 1_000_000 + time.tv_nsec / 1000)"])
    }

    /// The end has begun.
    public func stopping(status: String? = nil) {
        send(["STOPPING=1"] + line(status))
    }

    public func feedWatchdog() {
        send(["WATCHDOG=1"])
    }

    /// A line feed in `status` would begin another assignment. What is too long for a datagram would not be sent.
    private func line(_ status: String?) -> [String] {
        guard var bytes = status.map({ Array($0.utf8) }) else { return [] }
        LogText.shorten(&bytes, to: 2048)
        let parts = bytes.split(whereSeparator: { $0 < 0x20 })
        return ["STATUS=" + String(decoding: Array(parts.joined(separator: [UInt8(ascii: " ")])), as: UTF8.self)]
    }

    private func send(_ assignments: [String]) {
        _ = socket?.send(Array(assignments.joined(separator: "\n").utf8))
    }
}
