/// A volume of ours, complete: what is handed to the engine to make it.
public struct VolumeSpecification: Sendable, Hashable {
    public var name: String
    public var labels: [String: String] = [:]
    public var driver = "local"
    /// Options of the driver.
    public var options: [String: String] = [:]

    public init(name: String) {
        self.name = name
    }
}
