import Logging

/// The API key: who has it may use the API.
extension Supervisor {
    public func accepts(key: String) -> Bool {
        let given = Array(key.utf8)
        let wanted = Array(apiKey.utf8)
        // Every byte is looked at, whatever the ones before it were.
        var difference = given.count ^ wanted.count
        for index in wanted.indices {
            difference |= Int(wanted[index] ^ (index < given.count ? given[index] : 0))
        }
        return difference == 0
    }

    public func currentKey() -> String { apiKey }

    public func regenerateKey() async throws(SupervisorError) -> String {
        try refuseWhileFrozen()
        let key = randomHexadecimal(bytes: 32)
        let saved: Result<Void, SupervisorError> = await withCheckedContinuation { continuation in
            own { supervisor in
                supervisor.isChangingKey = true
                defer { supervisor.isChangingKey = false }
                let store = supervisor.parts.store
                do throws(SupervisorError) {
                    try await supervisor.requireDisk()
                    try await supervisor.onWorker { try store.save(key: key) }
                    supervisor.apiKey = key
                    supervisor.keyIsSaved = true
                    continuation.resume(returning: .success(()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        if case .failure(let error) = saved {
            throw SupervisorError(.unavailable, "The new key could not be kept, the old one goes on: \(error.message)")
        }
        logger.notice("There is a new API key")
        publish(.keyRegenerated)
        requestCheck()
        return key
    }

    /// A key that could not be kept at start is tried again: a new supervisor would make another one.
    func saveKeyIfNeeded() async {
        guard !keyIsSaved, !isChangingKey else { return }
        let key = apiKey
        let store = parts.store
        let result: Void? = try? await onWorker { try store.save(key: key) }
        guard result != nil, apiKey == key else { return }
        keyIsSaved = true
        logger.notice("The API key is kept now")
    }
}
