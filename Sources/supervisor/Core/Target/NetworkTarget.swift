public import JSON

/// A network of an application as it should be: a bridge of its own on the host.
public struct NetworkTarget: Sendable, Hashable {
    public var name: String
    /// No way out of it but to the host.
    public var isInternal: Bool
    public var enablesIPv6: Bool
    /// Empty lets the engine choose.
    public var subnets: [NetworkSpecification.Subnet]
    /// Of the bridge driver.
    public var options: [String: String]
    public var labels: [String: String]
    /// The network's object as it was written.
    public var definition: JSONObject

    public init(
        name: String,
        isInternal: Bool = false,
        enablesIPv6: Bool = false,
        subnets: [NetworkSpecification.Subnet] = [],
        options: [String: String] = [:],
        labels: [String: String] = [:],
        definition: JSONObject = [:]
    ) {
        self.name = name
        self.isInternal = isInternal
        self.enablesIPv6 = enablesIPv6
        self.subnets = subnets
        self.options = options
        self.labels = labels
        self.definition = definition
    }
}
