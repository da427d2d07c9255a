import SupervisorPorts
import Testing

@testable import SupervisorCore

struct HandOversTests {
    private static let key = ServiceKey(app: AppID(1), service: "main")
    private static let other = ServiceKey(app: AppID(1), service: "other")

    @Test func `the end of a hand-over is reported once`() {
        var handOvers = HandOvers()
        handOvers.begin(Self.key, watch: nil, at: .seconds(3))
        #expect(handOvers.since(Self.key) == .seconds(3))
        let isNews = [handOvers.end(Self.key), handOvers.end(Self.key), handOvers.end(Self.other)]
        #expect(isNews == [true, false, false])
    }

    @Test func `one that is not under way any more is forgotten, and its watch is returned`() {
        var handOvers = HandOvers()
        handOvers.begin(Self.key, watch: WatchToken(number: 1), at: .zero)
        handOvers.begin(Self.other, watch: WatchToken(number: 2), at: .zero)
        let ended = [handOvers.keep(only: [Self.key]), handOvers.keep(only: [Self.key])]
        #expect(ended == [[WatchToken(number: 2)], []])
        #expect(handOvers.since(Self.other) == nil)
        #expect(handOvers.since(Self.key) == .zero)
    }
}
