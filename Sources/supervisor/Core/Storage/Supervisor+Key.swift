import Logging

/// The API key: who has it may use the API.
extension Supervisor {
    var apiKey: String { key.text }

    public func accepts(key: String) -> Bool { self.key.accepts(key) }

    public func currentKey() -> String { apiKey }

    public func regenerateKey() async throws(SupervisorError) -> String {
        try admitChange()
        let new = randomHexadecimal(bytes: 32)
        do throws(SupervisorError) {
            try await owned { supervisor throws(SupervisorError) in
                supervisor.key.beginChange()
                defer { supervisor.key.endChange() }
                let store = supervisor.parts.store
                try await supervisor.requireDisk()
                try await supervisor.onWorker { try store.save(key: new) }
                supervisor.key.replace(by: new)
            }
        } catch {
            throw SupervisorError(.unavailable, "The new key could not be kept, the old one goes on: \(error.message)")
        }
        logger.notice("There is a new API key")
        publish(.keyRegenerated)
        requestCheck()
        return new
    }

    /// Saves a key that could not be saved at start: a new supervisor would generate another one.
    func saveKeyIfNeeded() async {
        guard key.needsSaving else { return }
        let text = key.text
        let store = parts.store
        let result: Void? = try? await onWorker { try store.save(key: text) }
        guard result != nil, key.saved(text) else { return }
        logger.notice("The API key is now saved")
    }
}
