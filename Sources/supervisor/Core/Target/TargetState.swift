/// What should run on this device: the `local` object of the device state format, version 2.
struct TargetState: Sendable, Hashable {
    var name: String?
    /// Device-wide configuration variables.
    var config: [String: String] = [:]
    /// In order of id.
    var apps: [AppTarget] = []

    subscript(id: AppID) -> AppTarget? { apps.first { $0.id == id } }
}
