import Testing

@testable import SupervisorCore

struct ProbationTests {
    private static let start: Duration = .seconds(100)

    private static func probation() -> Probation { Probation(container: "x", healthyAfter: .seconds(10)) }

    @Test func `a release that runs for its time is good, and not before`() {
        var probation = Self.probation()
        #expect(probation.judge(.running, .none, at: Self.start) == .open(until: .seconds(110)))
        #expect(probation.judge(.running, .none, at: .seconds(109)) == .open(until: .seconds(110)))
        #expect(probation.judge(.running, .none, at: .seconds(110)) == .good)
    }

    @Test func `one whose check has not decided waits for it`() {
        var probation = Self.probation()
        #expect(probation.judge(.running, .starting, at: Self.start) == .open(until: .seconds(110)))
        #expect(probation.judge(.running, .starting, at: .seconds(500)) == .open(until: nil))
        #expect(probation.judge(.running, .healthy, at: .seconds(501)) == .good)
    }

    @Test func `one that is healthy early still has to stay up`() {
        var probation = Self.probation()
        #expect(probation.judge(.running, .healthy, at: Self.start) == .open(until: .seconds(110)))
    }

    @Test func `one whose check fails is bad, even late`() {
        var probation = Self.probation()
        _ = probation.judge(.running, .starting, at: Self.start)
        #expect(probation.judge(.running, .unhealthy, at: .seconds(500)) == .bad("its health check fails"))
    }

    @Test func `one that ended is bad although the engine has started it again`() {
        var probation = Self.probation()
        _ = probation.judge(.running, .none, at: Self.start)
        probation.died(exitCode: 3, at: .seconds(104))
        #expect(probation.judge(.running, .none, at: .seconds(105)) == .bad("its process ended with 3 after 4 s"))
    }

    @Test(arguments: [ContainerState.exited, .restarting, .dead])
    func `one that is found ended is bad`(state: ContainerState) {
        var probation = Self.probation()
        #expect(probation.judge(state, .none, at: Self.start) == .bad("its process ended"))
    }

    @Test(arguments: [ContainerState.created, .paused, .removing])
    func `one that does not run yet has no time running`(state: ContainerState) {
        var probation = Self.probation()
        #expect(probation.judge(state, .none, at: Self.start) == .open(until: nil))
        #expect(probation.judge(.running, .none, at: .seconds(900)) == .open(until: .seconds(910)))
    }

    @Test func `one that does not start is bad`() {
        var probation = Self.probation()
        probation.failedToStart("no such file")
        #expect(probation.judge(.created, .none, at: Self.start) == .bad("it does not start: no such file"))
    }

    @Test func `with nothing to give way to it begins anew`() {
        var probation = Self.probation()
        probation.died(exitCode: 1, at: Self.start)
        probation.forgive()
        #expect(probation.isReported)
        #expect(probation.judge(.running, .none, at: .seconds(200)) == .open(until: .seconds(210)))
    }
}
