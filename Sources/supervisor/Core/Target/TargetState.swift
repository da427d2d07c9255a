/// What should run on this device: the `local` object of the device state format, version 2.
public struct TargetState: Sendable, Hashable {
    public var name: String?
    /// Device-wide configuration variables.
    public var config: [String: String]
    /// In order of id.
    public var apps: [AppTarget]

    public init(name: String? = nil, config: [String: String] = [:], apps: [AppTarget] = []) {
        self.name = name
        self.config = config
        self.apps = apps
    }

    public subscript(id: AppID) -> AppTarget? { apps.first { $0.id == id } }
}
