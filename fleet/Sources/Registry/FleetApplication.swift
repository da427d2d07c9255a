/// An application: what a set of devices runs.
struct FleetApplication: Sendable {
    var id: Int64
    var name: String
    var uuid: String
    var deviceType: String
    /// The digest of the release that devices run unless they are pinned.
    var activeCommit: String?
    var created: Int64
}
