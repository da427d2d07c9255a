/// What an application is to run, named by the digest of its target.
struct Release: Sendable {
    var id: Int64
    var application: Int64
    var commit: String
    /// JSON: `services`, `volumes`, `networks`, and `config` where the release has one.
    var target: String
    var created: Int64
    var actor: String
}
