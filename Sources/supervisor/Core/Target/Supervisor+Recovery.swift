extension Supervisor {
    /// The containers with their whole definitions: the engine is asked for the variables of those that do not carry them in
    /// their labels.
    func completeDefinitions(_ containers: [EngineContainer]) async throws(SupervisorError) -> [EngineContainer] {
        var result: [EngineContainer] = []
        for container in containers {
            if let complete = inventory.complete(container) {
                result.append(complete)
                continue
            }
            let detail = try await engineStep("looking at a container", limit: .seconds(60)) {
                engine throws(EngineError) in
                try await engine.inspect(container: container.id)
            }
            guard let detail else { continue }
            let complete = DefinitionLabels.complete(container, environment: detail.environment)
            inventory.setDefinition(of: container.id, to: complete.labels[ContainerLabel.definition])
            result.append(complete)
        }
        return result
    }
}
