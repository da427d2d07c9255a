import Testing

@testable import SupervisorCore

/// Which of two containers hands over: no clock and no order of the engine's list has a say in it.
@Suite struct PredecessorTests {
    private static let key = ServiceKey(app: AppID(1), service: "main")

    private static func instance(_ id: String, _ generation: Int, _ digest: String = "x") -> CurrentState.Instance {
        CurrentState.Instance(
            id: id,
            key: key,
            commit: "c",
            digest: digest,
            image: "i",
            imageID: "",
            state: .running,
            generation: generation
        )
    }

    @Test(arguments: [false, true])
    func `one of a lower generation was there, in whatever order the engine lists them`(isReversed: Bool) {
        let former = Self.instance("former", 7)
        let successor = Self.instance("successor", 8)
        let later = Self.instance("later", 9)
        let instances = [former, successor, later]
        let state = CurrentState(instances: isReversed ? instances.reversed() : instances)
        #expect(state.predecessors(of: successor) == [former])
        #expect(state.predecessors(of: former) == [])
    }

    @Test func `one without a number stays until its successor says that it may go`() {
        let former = Self.instance("former", 0)
        let successor = Self.instance("successor", 1)
        #expect(CurrentState(instances: [successor, former]).predecessors(of: successor) == [former])
    }

    @Test func `one of a rejected release is none`() {
        let former = Self.instance("former", 1, "bad")
        let successor = Self.instance("successor", 2)
        let state = CurrentState(instances: [former, successor], rejected: ["bad"])
        #expect(state.predecessors(of: successor) == [])
    }
}
