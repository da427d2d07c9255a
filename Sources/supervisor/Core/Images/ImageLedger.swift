/// The images that we downloaded, and the download under way.
struct ImageLedger: Sendable {
    typealias Download = Task<Result<Void, EngineError>, Never>

    /// An image as an application runs it.
    struct Use: Sendable, Hashable {
        var app: AppID
        var image: String
    }

    /// What a registry said of an image, and for which release of the application it was asked.
    struct Answer: Sendable, Hashable {
        var release: String
        /// The image's id: "sha256:…".
        var id: String
    }

    private struct Silence: Sendable {
        var release: String
        var reason: String
        var until: Duration
    }

    /// What is kept on the disk.
    struct Kept: Sendable, Hashable {
        /// Images that we downloaded and may therefore remove.
        var pulled: Set<String> = []
        var answers: [Use: Answer] = [:]
        /// Ids of images that we downloaded, and whose name stands for another one by now.
        var superseded: Set<String> = []
    }

    private(set) var kept: Kept
    /// Registries that did not answer for an image.
    private var silences: [Use: Silence] = [:]
    /// Ids of images that were downloaded once more because they were damaged.
    private var repaired: Set<String> = []
    private var download: (image: String, task: Download)?
    /// Why credentials for registries are not used.
    private(set) var credentialsProblem: String?

    init(kept: Kept) {
        self.kept = kept
    }

    var pulled: Set<String> { kept.pulled }

    /// Returns whether that is new, and has to be saved.
    mutating func add(_ image: String) -> Bool {
        kept.pulled.insert(image).inserted
    }

    mutating func remove(_ image: String) {
        kept.pulled.remove(image)
        kept.superseded.remove(image)
    }

    // MARK: Tags

    /// A registry has answered for an image of a release. It is to be saved.
    ///
    /// - Parameter former: the id that the name stood for until now.
    mutating func answered(_ use: Use, _ answer: Answer, former: String?) {
        silences[use] = nil
        kept.answers[use] = answer
        if let former, former != answer.id, kept.pulled.contains(use.image) { kept.superseded.insert(former) }
        kept.superseded.remove(answer.id)
    }

    /// It did not. It is asked again after ten minutes.
    mutating func didNotAnswer(_ use: Use, release: String, _ reason: String, at now: Duration) {
        silences[use] = Silence(release: release, reason: reason, until: now + .seconds(600))
    }

    /// Whether the registry is to be asked for an image of a release.
    ///
    /// - Parameter isNew: whether a container of the release is still to be made.
    func hasToAsk(_ use: Use, release: String, isNew: Bool, at now: Duration) -> Bool {
        if kept.answers[use]?.release == release { return false }
        if let silence = silences[use], silence.release == release { return now >= silence.until }
        return isNew
    }

    /// The id that a registry has named for the image of this release.
    func idOfRelease(_ use: Use, release: String) -> String? {
        kept.answers[use].flatMap { $0.release == release ? $0.id : nil }
    }

    /// Which image is used without its registry having been asked for the release, and why; nil where there is none.
    func warning(_ target: TargetState?) -> String? {
        for app in target?.apps ?? [] {
            for service in app.services {
                guard let silence = silences[Use(app: app.id, image: service.image)], silence.release == app.release
                else { continue }
                return
                    "The image \(service.image) of application \(app.id) is used as it is on this device: \(silence.reason)"
            }
        }
        return nil
    }

    /// Forgets images that no application of the target has. Returns whether that has to be saved.
    mutating func keep(only target: TargetState) -> Bool {
        let uses = Set(target.apps.flatMap { app in app.services.map { Use(app: app.id, image: $0.image) } })
        silences = silences.filter { uses.contains($0.key) }
        let answers = kept.answers.filter { uses.contains($0.key) }
        defer { kept.answers = answers }
        return answers.count != kept.answers.count
    }

    // MARK: Damage

    /// Whether the image may be downloaded once more because it is damaged: once, since a second time would not help.
    mutating func mayRepair(id: String) -> Bool { repaired.insert(id).inserted }

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
