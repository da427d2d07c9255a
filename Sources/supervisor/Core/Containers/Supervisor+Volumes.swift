public import JSON
import Logging

/// Volumes of applications.
extension Supervisor {
    func listVolumes() async throws(SupervisorError) -> [EngineVolume] {
        try await engineStep("listing volumes", limit: .seconds(60)) { engine throws(EngineError) in
            try await engine.volumes(label: ContainerLabel.app)
        }
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

    public func volumes() async throws(SupervisorError) -> JSONValue {
        let volumes = try await listVolumes()
        return .array(
            volumes.sorted { $0.name < $1.name }.compactMap { volume in
                guard let text = volume.labels[ContainerLabel.app], let app = AppID(digits: text) else { return nil }
                let name = volume.labels[ContainerLabel.volume] ?? volume.name
                let isWanted = target?[app]?.volumes.contains { $0.name == name } == true
                return [
                    "name": .string(volume.name),
                    "appId": .integer(app.number),
                    "app": target?[app].map { .string($0.name) } ?? .null,
                    "volume": .string(name),
                    "state": isWanted ? "in use" : "left over",
                ]
            }
        )
    }
}
