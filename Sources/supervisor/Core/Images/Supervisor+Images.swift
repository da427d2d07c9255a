import Logging
import SupervisorPorts

/// Images: downloading what is wanted, and removing what we downloaded and nothing wants any more.
extension Supervisor {
    func hasImage(_ reference: String) async throws(SupervisorError) -> Bool {
        try await engineImage(reference) != nil
    }

    func engineImage(_ reference: String) async throws(SupervisorError) -> EngineImage? {
        try await engineStep("looking for the image \(reference)", limit: .seconds(60)) { engine throws(EngineError) in
            try await engine.image(reference)
        }
    }

    func download(_ key: ServiceKey, _ image: String) async throws(SupervisorError) {
        // Room for the new image first, where that is asked for.
        if cycle.releasesToRun[key]?.service.strategy == .deleteThenDownload { await removeOldImages() }
        await rememberPulled(image)
        do throws(SupervisorError) {
            try await pull(key, image)
        } catch {
            publish(.downloadFailed(key, image: image, error.message))
            // An image that we did not download is not ours to remove later, if another program downloads it.
            if try await !hasImage(image) {
                images.remove(image)
                await saveImages()
            }
            throw error
        }
        await noteAnswer(key, image, former: nil)
    }

    private func pull(_ key: ServiceKey, _ image: String) async throws(SupervisorError) {
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
        cycle.removed(image: image)
        if case .failure(let error) = result { throw downloadError(error) }
        publish(.downloadDone(key, image: image))
        logger.notice("Downloaded \(image)", metadata: ["app-id": "\(key.app)", "service": "\(key.service)"])
    }

    // MARK: A tag that stands for something else

    /// Asks the registry of an image whose tag may stand for another content in the release that comes. If it cannot be
    /// asked, or refuses, the image is used as it is.
    func refresh(_ key: ServiceKey, _ image: String) async throws(SupervisorError) {
        guard let app = cycle.releasesToRun[key]?.app else { return }
        let former = try await engineImage(image)?.id
        do throws(SupervisorError) {
            try await pull(key, image)
        } catch {
            try admitChange()
            // One that a new target has cancelled is no failure.
            guard isWanted(image) else { return }
            if error.code == .unavailable { throw error }
            let reason =
                "its registry could not be asked whether release \(app.commit) has another one: \(error.message)"
            images.didNotAnswer(.init(app: key.app, image: image), release: app.release, reason, at: parts.clock.now)
            logger.warning(
                "The image \(image) is used as it is on this device: \(reason)",
                metadata: ["app-id": "\(key.app)"]
            )
            return
        }
        await noteAnswer(key, image, former: former)
    }

    private func noteAnswer(_ key: ServiceKey, _ image: String, former: String?) async {
        guard let app = cycle.releasesToRun[key]?.app, let id = try? await engineImage(image)?.id else { return }
        images.answered(.init(app: key.app, image: image), .init(release: app.release, id: id), former: former)
        await saveImages()
    }

    /// Whether the registry has to be asked for an image that is there.
    func hasToRefresh(_ app: AppTarget, _ service: ServiceTarget, _ image: EngineImage) -> Bool {
        guard image.mayHaveChanged(at: service.image) else { return false }
        let instances = inventory.instances(of: ServiceKey(app: app.id, service: service.name))
        return images.hasToAsk(
            .init(app: app.id, image: service.image),
            release: app.release,
            isNew: !instances.contains { $0.commit == app.commit },
            at: parts.clock.now
        )
    }

    /// From what the container of a release is made to which a service was rolled back: its tag may stand for the failed one
    /// by now.
    func imageOfGoodRelease(_ key: ServiceKey, _ service: ServiceTarget) async throws(SupervisorError) -> String? {
        guard let id = rollBack.imageID(key, ifRunning: service, of: target) else { return nil }
        if try await engineImage(service.image)?.id == id { return nil }
        return try await hasImage(id) ? id : nil
    }

    // MARK: Damage

    /// What a power cut has left of an image may be of no use, and the engine does not notice: once its registry has
    /// answered, the image is removed with the container that does not start, and downloaded once more. Returns whether
    /// that was done.
    func repairImage(_ key: ServiceKey, _ container: String?, _ error: SupervisorError) async -> Bool {
        guard error.code == .failed, error.isOfStorageDriver, let service = cycle.releasesToRun[key]?.service else {
            return false
        }
        let metadata: Logger.Metadata = ["app-id": "\(key.app)", "service": "\(key.service)"]
        do throws(SupervisorError) {
            guard let image = try await engineImage(service.image),
                image.mayHaveChanged(at: service.image) || service.image.utf8.contains(UInt8(ascii: "@")),
                images.mayRepair(id: image.id)
            else { return false }
            logger.warning("The image \(service.image) seems to be damaged: \(error)", metadata: metadata)
            // Removed only when the registry has it.
            try await pull(key, service.image)
            if let container { try await removeContainer(key, container) }
            try await engineStep("removing the image \(service.image)", limit: .seconds(120)) {
                engine throws(EngineError) in try await engine.remove(image: service.image)
            }
            try await pull(key, service.image)
            logger.notice(
                "The image \(service.image) was damaged; it was removed and downloaded again",
                metadata: metadata
            )
            return true
        } catch {
            logger.warning("The image \(service.image) was not replaced: \(error)", metadata: metadata)
            return false
        }
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
        await saveImages()
    }

    private func saveImages() async {
        let images = images.kept
        let store = parts.store
        do throws(SupervisorError) {
            try await onWorker { try store.save(images: images) }
        } catch {
            logger.error("The list of downloaded images could not be saved: \(error)")
        }
    }

    /// Removes images that we downloaded and that nothing wants any more.
    func removeOldImages() async {
        guard let target = targetInForce.confirmed else { return }
        let wanted = Set(target.apps.flatMap { $0.services.map(\.image) }).union(rollBack.imagesToKeep(target))
        if images.keep(only: target) { await saveImages() }
        let superseded = images.kept.superseded.subtracting(rollBack.imageIDsToKeep(target))
        for image in images.pulled.subtracting(wanted).union(superseded).sorted() {
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
            await saveImages()
        }
    }
}
