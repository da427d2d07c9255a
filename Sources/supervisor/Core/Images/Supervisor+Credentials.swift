import Logging

/// Credentials for private registries.
extension Supervisor {
    /// What the registry of an image is given. A file that cannot be used is reported, and counts as none: an image that
    /// anybody may have still comes.
    func registryCredentials(for image: String) async -> RegistryCredentials? {
        let file = RegistryCredentialsFile(directory: parts.store.directory)
        do throws(SupervisorError) {
            let credentials = try await onWorker { try file.credentials(for: image) }
            images.credentialsAreUsable()
            return credentials
        } catch {
            if images.credentialsFailed(error.message) {
                logger.error("Registries are used without credentials: \(error.message)")
            }
            return nil
        }
    }

    /// Why a download failed. Where credentials are missing because their file is not used, that is the reason.
    func downloadError(_ error: EngineError) -> SupervisorError {
        var error = error
        if error.code == .unauthorized, let problem = images.credentialsProblem { error.message += "; \(problem)" }
        return SupervisorError(error)
    }
}
