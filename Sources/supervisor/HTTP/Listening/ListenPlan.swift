import SupervisorReactor

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
    ///   - bridges: what "apps" stands for.
    /// - Returns: one target per interface that is there, in the order of the configuration.
    static func targets(
        interfaces: [String],
        bridges: Set<String>,
        present: [NetworkInterface]
    ) -> [Target] {
        if interfaces.contains("*") { return [Target(name: "*", index: nil)] }
        let names = interfaces.flatMap { $0 == "apps" ? bridges.sorted() : [$0] }
        var targets: [Target] = []
        for name in names {
            guard let interface = present.first(where: { $0.name == name }) else { continue }
            let target = Target(name: name, index: interface.index)
            if !targets.contains(target) { targets.append(target) }
        }
        return targets
    }
}
