import LinuxSupport
import SupervisorPluginAPI

/// What the core expects of the answer to plugin.initialize.
enum Handshake {
    /// Why the plugin is not accepted; nil where it is.
    static func refusal(of reply: PluginInitialize.Reply, by manifest: PluginManifest) -> String? {
        if reply.protocolVersion != PluginProtocol.version {
            return "speaks version \(reply.protocolVersion) of the protocol, not \(PluginProtocol.version)"
        }
        if reply.pluginName != manifest.name {
            return
                "calls itself \(reply.pluginName.cut(toBytes: 64).debugDescription), its manifest says \(manifest.name)"
        }
        var seen: Set<String> = []
        for operation in reply.operations {
            guard manifest.provides.contains(operation.name) else {
                let name = operation.name.cut(toBytes: 64).debugDescription
                return "offers \(name), which is not among its manifest's Provides"
            }
            guard seen.insert(operation.name).inserted else { return "offers \(operation.name) twice" }
            // The other way round is a plugin that is more careful than it has to be.
            if operation.isIdempotent, KnownOperations.operation(named: operation.name)?.isIdempotent == false {
                return "marks \(operation.name) as idempotent, which it is not"
            }
        }
        return nil
    }
}
