import Logging
import SupervisorPorts

/// Images: downloading what is wanted, and removing what we downloaded and nothing wants any more.
extension Supervisor {
    func hasImage(_ reference: String) async throws(SupervisorError) -> Bool {
        try await engineStep("looking for the image \(reference)", limit: .seconds(60)) { engine throws(EngineError) in
            try await engine.image(reference) != nil
        }
    }

    func download(_ key: ServiceKey, _ image: String) async throws(SupervisorError) {
        // Room for the new image first, where that is asked for.
        if cycle.releasesToRun[key]?.service.strategy == .deleteThenDownload { await removeOldImages() }
        await rememberPulled(image)
        let credentials = await registryCredentials(for: image)
        try admitChange()
        progress.downloadBegan()
        publish(.downloadBegan(key, image: image))
        logger.notice("Downloading \(image)", metadata: ["app-id": "\(key.app)", "service": "\(key.service)"])
        let engine = parts.engine
        let task = Task(executorPreference: parts.executor) { () async -> Result<Void, EngineError> in
            do throws(EngineError) {
                try await engine.pull(image, credentials: credentials) { percentage in
                    self.assumeIsolated { $0.downloaded(key, image, percentage) }
                }
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        images.downloadBegan(image, task)
        let result = await task.value
        images.downloadEnded()
        progress.downloadEnded()
        if case .failure(let error) = result {
            publish(.downloadFailed(key, image: image, error.message))
            // An image that we did not download is not ours to remove later, if another program downloads it.
            if try await !hasImage(image) {
                images.remove(image)
                await savePulledImages()
            }
            throw downloadError(error)
        }
        cycle.found(image: image)
        publish(.downloadDone(key, image: image))
        logger.notice("Downloaded \(image)", metadata: ["app-id": "\(key.app)", "service": "\(key.service)"])
    }

    private func downloaded(_ key: ServiceKey, _ image: String, _ percentage: Double) {
        progress.downloaded(percentage: percentage)
        publish(news.downloadProgress(key, image: image, percentage, at: parts.clock.now))
    }

    /// Whether a release of the target, or one to which that may be rolled back, runs this image.
    func isWanted(_ image: String) -> Bool {
        targetInForce.isWanted(image) || rollBack.imagesToKeep(target).contains(image)
    }

    private func rememberPulled(_ image: String) async {
        guard images.add(image) else { return }
        await savePulledImages()
    }

    private func savePulledImages() async {
        let images = images.pulled
        let store = parts.store
        do throws(SupervisorError) {
            try await onWorker { try store.save(pulledImages: images) }
        } catch {
            logger.error("The list of downloaded images could not be saved: \(error)")
        }
    }

    /// Removes images that we downloaded and that nothing wants any more.
    func removeOldImages() async {
        guard let target = targetInForce.confirmed else { return }
        let wanted = Set(target.apps.flatMap { $0.services.map(\.image) }).union(rollBack.imagesToKeep(target))
        for image in images.pulled.subtracting(wanted).sorted() {
            do throws(SupervisorError) {
                try await engineStep("removing the image \(image)", limit: .seconds(120)) {
                    engine throws(EngineError) in
                    try await engine.remove(image: image)
                }
                logger.info("Removed the image \(image)")
            } catch {
                // Another container uses it, or the engine is away: the next successful cycle tries again.
                logger.info("The image \(image) is not removed yet: \(error)")
                continue
            }
            cycle.removed(image: image)
            images.remove(image)
            await savePulledImages()
        }
    }
}
