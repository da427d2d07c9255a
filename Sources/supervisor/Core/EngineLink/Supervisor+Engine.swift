import Logging
import SupervisorPorts

/// Following the engine: whether it is there, and what happens to our containers.
extension Supervisor {
    /// Stays connected to the engine's events until the core stops.
    func followEngine() async {
        while !isStopping {
            let began = parts.clock.now
            let attempt = Task(executorPreference: parts.executor) { await self.followEngineOnce() }
            engineLink.follow(by: attempt)
            await attempt.value
            engineLink.follow(by: nil)
            if isStopping { return }
            let pause = after(engineLink.attemptEnded(began, at: parts.clock.now)) { _ in }
            engineLink.follow(by: pause)
            await pause.value
            engineLink.follow(by: nil)
        }
    }

    private func followEngineOnce() async {
        do throws(EngineError) {
            let information = try await parts.engine.ping()
            try await parts.engine.events(label: ContainerLabel.app) { event in
                self.assumeIsolated { $0.handle(event, information) }
            }
            engineIsAway("the engine ended its stream of events")
        } catch {
            // The stream was given up because the engine does not answer, which was reported already.
            if error.code != .cancelled { engineIsAway(error.message) }
        }
    }

    private func engineIsAway(_ reason: String) {
        guard !isStopping, engineLink.disconnected(reason, at: parts.clock.now) else { return }
        logger.warning("The container engine is away: \(reason)")
        publish(.engineAway(reason))
    }

    private func handle(_ event: EngineEvent, _ information: EngineInformation) {
        switch event {
        case .connected:
            engineLink.connected(information, at: parts.clock.now)
            logger.notice(
                "Connected to \(information.name) \(information.version), API \(information.apiVersion), at \(settings.engineSocket)"
            )
            publish(.engineConnected(name: information.name, version: information.version))
            findEngineBridge()
            requestCheck()
            findCrashLoops()
            // What ended just before the stream was up may still be listed as running: the list is read again a second
            // later.
            engineLink.triggered(at: parts.clock.now)
            requestCheckSoon()
        case .skipped: requestCheck()
        case .container(let id, let action, let exitCode, let labels, let name):
            containerEvent(id, action, exitCode, labels, name)
        }
    }

    private func containerEvent(
        _ id: String,
        _ action: String,
        _ exitCode: Int?,
        _ labels: [String: String],
        _ name: String
    ) {
        guard let text = labels[ContainerLabel.app], let app = AppID(digits: text),
            let service = labels[ContainerLabel.service], TargetMember.isName(service)
        else { return }
        let key = ServiceKey(app: app, service: service)
        // A container of an image that was made of one of ours has its labels, but not its name.
        let digest = labels[ContainerLabel.configuration] ?? ""
        guard inventory.instance(id) != nil || ContainerName.isOurs(name, key, digest: digest) else { return }
        // The holder of the gate lists the containers itself.
        let isOurDoing = gate.isBusy(app)
        let isStoppedByUs = inventory.isStoppedByUs(id)
        publish(action, key, id, exitCode, isOurDoing: isOurDoing || isStoppedByUs)
        switch action {
        case "start":
            inventory.setState(of: id, to: .running)
            // Whatever started it: from now on, an end of its process is not of our doing.
            if !isOurDoing {
                inventory.weNoLongerStop(id)
                memory.startedByOthers(id)
            }
            crashes.started(key, at: parts.clock.now)
            armCrashCheck()
            logStreams.containerStarted()
        case "unpause": inventory.setState(of: id, to: .running)
        case "pause": inventory.setState(of: id, to: .paused)
        case "die":
            inventory.setState(of: id, to: .exited)
            if !isStoppedByUs {
                logger.info(
                    "The app's process ended with \(exitCode.map(String.init) ?? "an unknown status")",
                    metadata: ["app-id": "\(app)", "service": "\(service)", "container-id": "\(id)"]
                )
                processDied(key, id, exitCode)
                rollBack.died(key, container: id, exitCode: exitCode, at: parts.clock.now)
            }
        case "stop":
            inventory.setState(of: id, to: .exited)
            // Somebody who stops a container at the engine means it, as far as the policy of the service says so.
            if !isOurDoing, !isStoppedByUs, isStoppedForGood(key) {
                memory.stoppedByOthers(id)
                own { await $0.saveBootMemory() }
            }
        case "destroy", "remove":
            inventory.remove(container: id)
            inventory.weNoLongerStop(id)
        case "create", "health_status": break
        default: return
        }
        if !isOurDoing { requestCheckSoon() }
    }

    /// docker calls its own network `bridge`, and names the interface: `docker0`, `balena0` or what it was started with. podman
    /// names none in this interface.
    private func findEngineBridge() {
        own { supervisor in
            guard let networks = try? await supervisor.parts.engine.networks(label: nil) else { return }
            supervisor.parts.onEngineBridge(networks.first { $0.name == "bridge" }?.bridge)
        }
    }

    private func isStoppedForGood(_ key: ServiceKey) -> Bool {
        target?[key.app]?.services.first { $0.name == key.service }?.composition.restart == .unlessStopped
    }

    /// Starts an update check because something happened to a container: at most one a second.
    private func requestCheckSoon() {
        guard !isStopping, let wait = engineLink.waitForEventTrigger(at: parts.clock.now) else { return }
        engineLink.triggerSoon(
            by: after(wait) { supervisor in
                supervisor.engineLink.eventTriggerIsDue(at: supervisor.parts.clock.now)
                supervisor.requestCheck()
            }
        )
    }

    // MARK: Asking

    var engineState: EngineState { engineLink.state }

    /// Runs an engine call as a step that health knows of: one that takes longer than `limit` is stuck.
    func engineStep<Result: Sendable>(
        _ name: String,
        limit: Duration,
        _ body: (any ContainerEngine) async throws(EngineError) -> Result
    ) async throws(SupervisorError) -> Result {
        let step = engineLink.begin(name, limit: limit, at: parts.clock.now)
        defer { engineLink.end(step) }
        do throws(EngineError) {
            return try await body(parts.engine)
        } catch {
            throw SupervisorError(error)
        }
    }

    /// Updates the list of our containers.
    @discardableResult
    func refreshContainers() async throws(SupervisorError) -> [CurrentState.Instance] {
        let listed: [EngineContainer]
        let mark = inventory.beginListing()
        defer { inventory.endListing() }
        do throws(SupervisorError) {
            listed = try await engineStep("listing containers", limit: .seconds(60)) { engine throws(EngineError) in
                try await engine.containers(label: ContainerLabel.app)
            }
        } catch {
            if error.code == .timeout, engineLink.isConnected {
                // An engine that hangs keeps its stream open and says nothing: it counts as away until it answers again.
                engineIsAway(error.message)
                engineLink.interrupt()
            }
            throw error
        }
        inventory.replace(containers: listed, since: mark)
        return inventory.instances
    }
}
