/// What the update cycle shows of itself.
struct UpdateProgress: Sendable {
    enum Status: String, Sendable {
        case idle = "Idle"
        case downloading = "Downloading"
        case installing = "Installing"
        case starting = "Starting"
        case stopping = "Stopping"
    }

    private(set) var status = Status.idle
    /// 0 to 100 while an image downloads.
    private(set) var download: Double?
    private(set) var isPending = false
    private(set) var isDownloaded = false
    private(set) var hasFailed = false
    private(set) var error: String?
    /// When a failed cycle is tried again.
    private(set) var nextAttempt: Duration?
    /// The commit of each application that is wholly as the target says.
    private(set) var settledCommits: [AppID: String] = [:]
    /// Update cycles since the start.
    private(set) var checksBegun: Int64 = 0
    private(set) var checksEnded: Int64 = 0

    // MARK: Steps

    mutating func begin(_ status: Status) {
        self.status = status
    }

    mutating func downloadBegan() {
        status = .downloading
        download = 0
    }

    mutating func downloaded(percentage: Double) {
        download = percentage
    }

    mutating func downloadEnded() {
        download = nil
        status = .idle
    }

    // MARK: Cycles

    mutating func checkBegan() {
        checksBegun += 1
        nextAttempt = nil
    }

    /// - Parameter next: when the next cycle begins, if nothing asks for one sooner.
    mutating func checkEnded(next: Duration) {
        checksEnded += 1
        nextAttempt = hasFailed ? next : nil
    }

    mutating func planned(isPending: Bool, hasDownloads: Bool, hasFailures: Bool) {
        self.isPending = isPending || hasFailures
        isDownloaded = self.isPending && !hasDownloads && !hasFailures
    }

    /// - Parameter rollBack: why a release of the target does not run; nil where none was rolled back.
    mutating func succeeded(isPending: Bool, rollBack: String?) {
        downloadEnded()
        self.isPending = isPending
        isDownloaded = isPending
        error = rollBack
        hasFailed = rollBack != nil
    }

    /// Returns whether this is another error than the last one.
    mutating func failed(_ message: String) -> Bool {
        defer { error = message }
        hasFailed = isPending
        return error != message
    }

    /// What failed before was about another target.
    mutating func targetChanged() {
        hasFailed = false
        error = nil
    }

    mutating func settled(_ commits: [AppID: String]) {
        settledCommits = commits
    }
}
