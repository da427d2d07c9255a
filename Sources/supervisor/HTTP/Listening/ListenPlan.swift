import LinuxSupport
import SupervisorEventLoop
import SupervisorPorts

/// Where the API is to listen.
enum ListenPlan {
    struct Target: Hashable {
        /// The interface's name, or "*".
        var name: String
        /// The interface's index; nil = every interface.
        var index: UInt32?
    }

    /// - Parameters:
    ///   - interfaces: as the configuration names them.
    ///   - engineBridge: the bridge that the engine names as its own, which `docker0` stands for.
    /// - Returns: one target per interface that is there, in the order of the configuration; those that "apps" covers
    ///   in the order of `present`.
    static func targets(interfaces: [String], present: [NetworkInterface], engineBridge: String? = nil) -> [Target] {
        if interfaces.contains("*") { return [Target(name: "*", index: nil)] }
        var targets: [Target] = []
        for name in interfaces {
            for interface in present {
                let isNamed = name == interface.name || name == "docker0" && interface.name == engineBridge
                guard name == "apps" ? isApplicationBridge(interface.name) : isNamed else { continue }
                let target = Target(name: interface.name, index: interface.index)
                if !targets.contains(target) { targets.append(target) }
            }
        }
        return targets
    }

    /// Whether an interface is the bridge of a network that the supervisor made for an application: `supervisor0`,
    /// `supervisor1` and so on.
    ///
    /// The name decides, so that the API is available exactly as long as the bridge exists, without a notification:
    /// also when the engine has recreated it after a boot, and when someone has removed it behind our back.
    static func isApplicationBridge(_ name: String) -> Bool {
        name.hasPrefix(AppBridge.prefix) && name.utf8.dropFirst(AppBridge.prefix.utf8.count).isDecimal
    }
}
