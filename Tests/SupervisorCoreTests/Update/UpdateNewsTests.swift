import Testing

@testable import SupervisorCore

/// How checks end, and what is published of that.
struct UpdateNewsTests {
    private enum Check {
        case planned(isPending: Bool)
        case succeeded(isPending: Bool = false, isRolledBack: Bool = false)
        case locked(String)
        case failed(String)
    }

    /// The events of one check after another.
    private static func events(_ checks: Check...) -> [[DeviceEvent]] {
        var news = UpdateNews()
        return checks.map { check in
            switch check {
            case .planned(let isPending):
                news.planned(isPending: isPending)
                return []
            case .succeeded(let isPending, let isRolledBack):
                return news.succeeded(isPending: isPending, isRolledBack: isRolledBack)
            case .locked(let reason): return news.failed(SupervisorError(.locked, reason))
            case .failed(let reason): return news.failed(SupervisorError(.failed, reason))
            }
        }
    }

    @Test func `a check that finds nothing to do is no news`() {
        #expect(Self.events(.planned(isPending: false), .succeeded(), .succeeded()) == [[], [], []])
    }

    @Test func `the success of an update is published once, when nothing is left to come`() {
        #expect(
            Self.events(.planned(isPending: true), .succeeded(isPending: true), .succeeded(), .succeeded())
                == [[], [], [.updateSucceeded], []]
        )
    }

    @Test func `an update that was rolled back is no success`() {
        #expect(
            Self.events(.planned(isPending: true), .succeeded(isRolledBack: true), .succeeded()) == [[], [], []]
        )
    }

    @Test func `a failure is published once until there is another one or a success`() {
        #expect(
            Self.events(.failed("a"), .failed("a"), .failed("b"), .succeeded(), .failed("b"))
                == [[.updateFailed("a")], [], [.updateFailed("b")], [.updateSucceeded], [.updateFailed("b")]]
        )
    }

    @Test func `a lock in the way is published when it begins, when it changes and when it ends`() {
        #expect(
            Self.events(.planned(isPending: true), .locked("a"), .locked("a"), .locked("b"), .succeeded())
                == [[], [.updateBlocked("a")], [], [.updateBlocked("b")], [.updateUnblocked, .updateSucceeded]]
        )
    }

    @Test func `the progress of a download is published at most once a second`() {
        let key = ServiceKey(app: AppID(1), service: "main")
        var news = UpdateNews()
        let counts = [0, 999, 1000, 1500, 2000].map {
            news.downloadProgress(key, image: "app:1", 50, at: .milliseconds($0)).count
        }
        #expect(counts == [1, 0, 1, 0, 1])
    }
}
