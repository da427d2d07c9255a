import Testing

@testable import SupervisorCore

struct ReapingTests {
    @Test func `what comes while it is under way is removed in another round`() {
        var reaping = Reaping()
        #expect(reaping.begin(isPossible: true) == true)
        #expect(reaping.beginRound(isPossible: true) == true)
        #expect(reaping.begin(isPossible: true) == false)
        #expect(reaping.beginRound(isPossible: true) == true)
        #expect(reaping.beginRound(isPossible: true) == false)
        #expect(!reaping.isUnderWay)
    }

    @Test func `what came while nothing was possible is removed later`() {
        var reaping = Reaping()
        #expect(reaping.begin(isPossible: false) == false)
        #expect(!reaping.isUnderWay)
        #expect(reaping.begin(isPossible: true) == true)
        #expect(reaping.beginRound(isPossible: false) == false)
        #expect(!reaping.isUnderWay)
    }

    @Test func `failures are tried again later and later, up to an hour`() {
        var reaping = Reaping()
        let delays = (0..<8).map { _ in reaping.failed() }
        #expect(delays == [60, 120, 240, 480, 960, 1920, 3600, 3600].map { .seconds($0) })
        reaping.succeeded()
        #expect(reaping.failed() == .seconds(60))
    }

    @Test func `a problem is news until it changes or is solved`() {
        var reaping = Reaping()
        #expect(reaping.recordProblem("a") == true)
        #expect(reaping.recordProblem("a") == false)
        #expect(reaping.recordProblem("b") == true)
        reaping.succeeded()
        #expect(reaping.recordProblem("b") == true)
    }
}
