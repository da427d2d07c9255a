/// The images that we downloaded, and the download under way.
struct ImageLedger: Sendable {
    typealias Download = Task<Result<Void, EngineError>, Never>

    /// Images that we downloaded and may therefore remove.
    private(set) var pulled: Set<String>
    private var download: (image: String, task: Download)?
    /// Why credentials for registries are not used.
    private(set) var credentialsProblem: String?

    init(pulled: Set<String>) {
        self.pulled = pulled
    }

    /// Returns whether that is new, and has to be saved.
    mutating func add(_ image: String) -> Bool {
        pulled.insert(image).inserted
    }

    mutating func remove(_ image: String) {
        pulled.remove(image)
    }

    // MARK: The download

    /// The image that is being downloaded.
    var imageUnderWay: String? { download?.image }

    mutating func downloadBegan(_ image: String, _ task: Download) {
        download = (image, task)
    }

    mutating func downloadEnded() {
        download = nil
    }

    func cancelDownload() {
        download?.task.cancel()
    }

    // MARK: Credentials

    mutating func credentialsAreUsable() {
        credentialsProblem = nil
    }

    /// Returns whether that has to be reported: it was not the problem before.
    mutating func credentialsFailed(_ problem: String) -> Bool {
        defer { credentialsProblem = problem }
        return credentialsProblem != problem
    }
}
