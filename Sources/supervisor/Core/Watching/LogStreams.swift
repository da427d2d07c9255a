/// The streams of log lines that have a reader, and those of them that wait for a container to start.
struct LogStreams {
    private var streams: [Int: LineStream] = [:]
    private var nextNumber = 0
    /// How often a container of ours was started.
    private(set) var starts = 0
    private var followers: [CheckedContinuation<Void, Never>] = []

    var isEmpty: Bool { streams.isEmpty }
    var hasFollowers: Bool { !followers.isEmpty }

    /// Returns the number of the stream, for `remove`.
    mutating func add(_ stream: LineStream) -> Int {
        nextNumber += 1
        streams[nextNumber] = stream
        return nextNumber
    }

    /// A stream has ended. Those who wait look whether it was theirs.
    mutating func remove(_ number: Int) {
        streams[number] = nil
        wakeFollowers()
    }

    mutating func removeAll() -> [LineStream] {
        defer { streams = [:] }
        return Array(streams.values)
    }

    mutating func containerStarted() {
        starts += 1
        wakeFollowers()
    }

    /// Resumes `follower` when a container has been started since `seen` was what `starts` says, or a stream has ended.
    mutating func wait(after seen: Int, _ follower: CheckedContinuation<Void, Never>) {
        if starts != seen { follower.resume() } else { followers.append(follower) }
    }

    mutating func wakeFollowers() {
        let woken = followers
        followers = []
        for follower in woken { follower.resume() }
    }
}
