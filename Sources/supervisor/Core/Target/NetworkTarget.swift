import JSON

/// A network of an application as it should be: a bridge of its own on the host.
struct NetworkTarget: Sendable, Hashable {
    var name: String
    /// No way out of it but to the host.
    var isInternal = false
    var enablesIPv6 = false
    /// Empty lets the engine choose.
    var subnets: [NetworkSpecification.Subnet] = []
    /// Of the bridge driver.
    var options: [String: String] = [:]
    var labels: [String: String] = [:]
    /// The network's object as it was written.
    var definition: JSONObject = [:]
}
