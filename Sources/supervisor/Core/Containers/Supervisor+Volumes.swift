public import JSON
import Logging

/// Volumes of applications.
extension Supervisor {
    /// The engine's names of all volumes that there are, whoever made them: one that was restored by hand has the name that
    /// we give, but none of our labels, and its data is used as it is.
    func namesOfVolumes() async throws(SupervisorError) -> Set<String> {
        let volumes = try await engineStep("listing volumes", limit: .seconds(60)) { engine throws(EngineError) in
            try await engine.volumes(label: nil)
        }
        return Set(volumes.map(\.name))
    }

    func createVolume(_ app: AppID, _ name: String) async throws(SupervisorError) {
        guard let volume = target?[app]?.volumes.first(where: { app.engineName($0.name) == name }) else {
            throw SupervisorError(.failed, "the volume \(name) is no longer in the target")
        }
        let specification = builder().specification(app: app, volume: volume)
        try await engineStep("creating a volume", limit: .seconds(120)) { engine throws(EngineError) in
            try await engine.create(specification)
        }
        logger.notice("Created the volume \(name)", metadata: ["app-id": "\(app)"])
    }

    /// Those with our labels, and those of the target.
    public func volumes() async throws(SupervisorError) -> JSONValue {
        let listed = try await engineStep("listing volumes", limit: .seconds(60)) { engine throws(EngineError) in
            try await engine.volumes(label: nil)
        }
        var wanted: [String: (app: AppID, name: String)] = [:]
        for app in target?.apps ?? [] {
            for volume in app.volumes { wanted[app.id.engineName(volume.name)] = (app.id, volume.name) }
        }
        return .array(
            listed.sorted { $0.name < $1.name }.compactMap { volume in
                let labelled = volume.labels[ContainerLabel.app].flatMap(AppID.init(digits:))
                    .map { ($0, volume.labels[ContainerLabel.volume] ?? volume.name) }
                guard let (app, name) = wanted[volume.name] ?? labelled else { return nil }
                return [
                    "name": .string(volume.name),
                    "appId": .integer(app.number),
                    "app": target?[app].map { .string($0.name) } ?? .null,
                    "volume": .string(name),
                    "state": wanted[volume.name] == nil ? "left over" : "in use",
                ]
            }
        )
    }
}
