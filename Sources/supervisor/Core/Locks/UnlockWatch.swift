import SupervisorPorts

/// Waiting for an update lock to be given back: what is watched for that, and whether a look is under way.
struct UnlockWatch {
    /// Which lock directories the kernel has in memory; known from the start on.
    private(set) var inMemory = UpdateLockFiles.InMemory()
    private var tokens: [WatchToken] = []
    /// Those whose locks the update waits for.
    private(set) var apps: Set<AppID> = []
    private var isChecking = false
    private var mustCheck = false

    mutating func set(inMemory: UpdateLockFiles.InMemory) { self.inMemory = inMemory }

    // MARK: Watches

    mutating func wait(for locks: [HeldLock]) { apps = Set(locks.map(\.app)) }

    mutating func add(_ token: WatchToken) { tokens.append(token) }

    /// Returns what is watched, for the caller to end.
    mutating func removeTokens() -> [WatchToken] {
        defer { tokens = [] }
        return tokens
    }

    /// The directories in which a change may free one of these locks, sorted; `isAbove` where none of the locks is in the
    /// directory itself, so that every name counts.
    static func directories(of locks: [HeldLock]) -> [(path: String, isAbove: Bool)] {
        var directories: Set<String> = []
        for lock in locks {
            guard let slash = lock.path.lastIndex(of: "/") else { continue }
            let directory = String(lock.path[..<slash])
            directories.insert(directory)
            // A directory that we may not look into is noticed only in the one above it.
            if let above = directory.lastIndex(of: "/") { directories.insert(String(directory[..<above])) }
        }
        return directories.sorted().map { directory in
            let isAbove = locks.allSatisfy {
                !$0.path.hasPrefix(directory + "/") || $0.path.dropFirst(directory.utf8.count + 1).contains("/")
            }
            return (directory, isAbove)
        }
    }

    // MARK: Looking

    /// A lock may be free. Returns whether a check is to be begun; one that is under way looks once more.
    mutating func beginCheck(isStopping: Bool) -> Bool {
        mustCheck = true
        guard !isChecking, !isStopping else { return false }
        isChecking = true
        return true
    }

    /// Whether the check that was begun has to look, which is the case the first time. Ends it otherwise.
    mutating func beginRound(isStopping: Bool) -> Bool {
        isChecking = mustCheck && !isStopping
        if isChecking { mustCheck = false }
        return isChecking
    }
}
