import SupervisorPorts
import Testing

@testable import SupervisorCore

struct UnlockWatchTests {
    private static func lock(_ path: String) -> HeldLock {
        HeldLock(app: AppID(1), service: "main", path: path, owner: nil, since: nil)
    }

    @Test func `the directory of a lock is watched, and the one above it`() {
        let directories = UnlockWatch.directories(of: [
            Self.lock("/run/locks/1/main/updates.lock"), Self.lock("/run/locks/1/main/resin-updates.lock"),
        ])
        #expect(directories.map(\.path) == ["/run/locks/1", "/run/locks/1/main"])
        #expect(directories.map(\.isAbove) == [true, false])
    }

    @Test func `what changes during a look is looked at once more`() {
        var watch = UnlockWatch()
        #expect(watch.beginCheck(isStopping: false) == true)
        #expect(watch.beginRound(isStopping: false) == true)
        #expect(watch.beginCheck(isStopping: false) == false)
        #expect(watch.beginRound(isStopping: false) == true)
        #expect(watch.beginRound(isStopping: false) == false)
        #expect(watch.beginCheck(isStopping: false) == true, "the next change is a new look")
    }

    @Test func `no look begins or goes on while the core stops`() {
        var watch = UnlockWatch()
        #expect(watch.beginCheck(isStopping: true) == false)
        #expect(watch.beginCheck(isStopping: false) == true)
        #expect(watch.beginRound(isStopping: true) == false)
    }

    @Test func `what is watched is handed out once`() {
        var watch = UnlockWatch()
        watch.add(WatchToken(number: 1))
        watch.add(WatchToken(number: 2))
        #expect(watch.removeTokens().map(\.number) == [1, 2])
        #expect(watch.removeTokens() == [])
    }
}
