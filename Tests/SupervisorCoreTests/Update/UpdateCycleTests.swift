import Testing

@testable import SupervisorCore

struct UpdateCycleTests {
    private static let pollInterval: Duration = .seconds(60)

    @Test func `the next cycle begins at the earliest time that one asked for`() {
        var cycle = UpdateCycle()
        cycle.begin()
        #expect(cycle.wait(atMost: Self.pollInterval, at: .seconds(100)) == .seconds(60))
        cycle.dueNoLaterThan(.seconds(130))
        cycle.dueNoLaterThan(.seconds(110))
        cycle.dueNoLaterThan(.seconds(120))
        #expect(cycle.wait(atMost: Self.pollInterval, at: .seconds(100)) == .seconds(10))
        #expect(cycle.wait(atMost: Self.pollInterval, at: .seconds(111)) == .milliseconds(10))
        cycle.begin()
        #expect(cycle.wait(atMost: Self.pollInterval, at: .seconds(111)) == .seconds(60))
    }

    @Test func `a request to override locks holds for one cycle`() {
        var cycle = UpdateCycle()
        cycle.requestForce()
        #expect(!cycle.isForcing)
        cycle.begin()
        #expect(cycle.isForcing)
        cycle.end()
        cycle.begin()
        #expect(!cycle.isForcing)
    }

    @Test func `a request to override locks can be taken over by the cycle under way, and left to the next`() {
        var cycle = UpdateCycle()
        cycle.begin()
        cycle.takeForce()
        #expect(!cycle.isForcing)
        cycle.requestForce()
        cycle.takeForce()
        #expect(cycle.isForcing)
        cycle.leaveForce()
        cycle.end()
        cycle.begin()
        #expect(cycle.isForcing)
    }

    @Test func `the first cycle lasts until one leaves nothing to come`() {
        var cycle = UpdateCycle()
        cycle.succeeded(isPending: true)
        #expect(cycle.isFirst)
        cycle.succeeded(isPending: false)
        #expect(!cycle.isFirst)
    }

    @Test func `what was found out in a cycle is forgotten with it`() {
        var cycle = UpdateCycle()
        cycle.found(EngineImage(id: "sha256:1", tags: [], digests: []), "app:1")
        cycle.networkIsInUse(AppID(1), "1_net")
        #expect(cycle.knownImages["app:1"] != nil)
        #expect(cycle.networksInUse == [.network(AppID(1), "1_net")])
        cycle.begin()
        #expect(cycle.knownImages["app:1"] == nil)
        #expect(cycle.networksInUse == [])
    }
}
