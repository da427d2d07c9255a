/// An application as it should run.
struct AppTarget: Sendable, Hashable {
    var id: AppID
    var name: String
    var commit: String
    var releaseID = ""
    /// In the order in which they start: those that another depends on before it.
    var services: [ServiceTarget]
    var volumes: [VolumeTarget] = []
    var networks: [NetworkTarget] = []
    /// Whether it is one of several services that a release updates: then only what changed is touched, and a container's
    /// commit is that of the release it was made for.
    var isMultiService = false

    /// What tells one release of the application from another.
    var release: String { "\(commit)/\(releaseID)" }
}
