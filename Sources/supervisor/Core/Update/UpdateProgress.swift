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
    /// Whether the last cycle failed.
    private var cycleFailed = false
    private var cycleError: String?
    /// What is wrong with the target file: what it says there is not done.
    private var targetError: String?
    /// When a failed cycle is tried again.
    private(set) var nextAttempt: Duration?
    /// The commit of each application that is wholly as the target says.
    private(set) var settledCommits: [AppID: String] = [:]
    /// Update cycles since the start.
    private(set) var checksBegun: Int64 = 0
    private(set) var checksEnded: Int64 = 0

    var hasFailed: Bool { cycleFailed || targetError != nil }

    var error: String? {
        guard let targetError else { return cycleError }
        return cycleError.map { "\($0); \(targetError)" } ?? targetError
    }

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
        cycleError = rollBack
        cycleFailed = rollBack != nil
    }

    /// Returns whether this is another error than the last one.
    mutating func failed(_ message: String) -> Bool {
        defer { cycleError = message }
        cycleFailed = isPending
        return cycleError != message
    }

    /// What failed before was about another target.
    mutating func targetChanged() {
        cycleFailed = false
        cycleError = nil
    }

    /// - Parameter error: nil for a file that is good.
    mutating func targetIsWrong(_ error: String?) {
        targetError = error
    }

    mutating func settled(_ commits: [AppID: String]) {
        settledCommits = commits
    }
}
