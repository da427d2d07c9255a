public import JSON

/// A volume of an application as it should be. It outlives its containers, and its application.
public struct VolumeTarget: Sendable, Hashable {
    public var name: String
    public var driver: String
    /// Of the driver.
    public var options: [String: String]
    public var labels: [String: String]
    /// The volume's object as it was written.
    public var definition: JSONObject

    public init(
        name: String,
        driver: String = "local",
        options: [String: String] = [:],
        labels: [String: String] = [:],
        definition: JSONObject = [:]
    ) {
        self.name = name
        self.driver = driver
        self.options = options
        self.labels = labels
        self.definition = definition
    }
}
