/// The numbers that both sides of the plugin protocol agree on; docs/plugin-protocol.md is the contract.
public enum PluginProtocol {
    /// The version of the protocol that this module speaks.
    public static let version: Int64 = 1
    /// The longest frame in bytes, without the line feed that ends it.
    public static let maximumFrameSize = 1 << 20
    /// The maximum number of calls that the core has under way in one plugin.
    public static let maximumCalls = 16
    /// Seconds between the end of a plugin's input and its exit, at most.
    public static let exitTime: UInt32 = 5
}
