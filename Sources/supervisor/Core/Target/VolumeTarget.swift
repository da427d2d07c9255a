import JSON

/// A volume of an application as it should be. It outlives its containers, and its application.
struct VolumeTarget: Sendable, Hashable {
    var name: String
    var driver = "local"
    /// Of the driver.
    var options: [String: String] = [:]
    var labels: [String: String] = [:]
    /// The volume's object as it was written.
    var definition: JSONObject = [:]
}
