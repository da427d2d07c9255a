import Testing

@testable import SupervisorCore

struct LogStreamsTests {
    @Test func `who follows is resumed by the next start, and at once where there was one`() async {
        var streams = LogStreams()
        let seen = streams.starts
        await withCheckedContinuation { follower in
            streams.wait(after: seen, follower)
            streams.containerStarted()
        }
        await withCheckedContinuation { streams.wait(after: seen, $0) }
    }

    @Test func `who follows is resumed when a stream ends`() async {
        var streams = LogStreams()
        let executor = ThreadExecutor()
        defer { executor.end() }
        let number = streams.add(LineStream(executor: executor))
        await withCheckedContinuation { follower in
            streams.wait(after: streams.starts, follower)
            streams.remove(number)
        }
        #expect(streams.removeAll().isEmpty)
    }
}
