/// Which plugin provides which operation: the one with the highest priority; none if two share that priority.
struct ProviderTable: Sendable, Hashable {
    /// By operation.
    private(set) var chosen: [String: String] = [:]
    /// Operations that two or more plugins with the highest priority provide, and these, in the order of their names.
    private(set) var conflicts: [String: [String]] = [:]

    init(_ manifests: some Sequence<PluginManifest>) {
        var candidates: [String: [PluginManifest]] = [:]
        for manifest in manifests {
            for operation in manifest.provides { candidates[operation, default: []].append(manifest) }
        }
        for (operation, providers) in candidates {
            let highest = providers.map(\.priority).max()
            let names = providers.filter { $0.priority == highest }.map(\.name)
            if names.count == 1 { chosen[operation] = names[0] } else { conflicts[operation] = names.sorted() }
        }
    }

    /// The operations that are left to a plugin, in the order of its manifest.
    func used(of manifest: PluginManifest) -> [String] {
        manifest.provides.filter { chosen[$0] == manifest.name }
    }

    /// Why some operations of a plugin have no provider; nil if all have one.
    func conflict(of manifest: PluginManifest) -> String? {
        let lines = manifest.provides.compactMap { operation in
            conflicts[operation].map { names in
                "\(operation): not used, \(names.joined(separator: " and ")) have priority \(manifest.priority)"
            }
        }
        return lines.isEmpty ? nil : lines.joined(separator: "; ")
    }

    /// One line for each operation without a provider because of equal priorities.
    var complaints: [String] {
        conflicts.sorted { $0.key < $1.key }.map { operation, names in
            "\(operation) has providers of equal priority, so none is used: \(names.joined(separator: ", "))"
        }
    }
}
