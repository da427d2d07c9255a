import HostOperations
import JSON
import Logging
import SupervisorPorts

/// Reboot and power-off: everything that `PowerGate` decides is done here.
extension Supervisor {
    /// What the gate holds while it is closed.
    struct PowerHold {
        var requestID: String?
        /// Applications whose gates are ours.
        var entered: [AppID] = []
        var locks: UpdateLockFiles.Taken?
        /// What lived until we stopped it.
        var stopped: [CurrentState.Instance] = []
    }

    public func reboot(force: Bool, requestID: String?) async throws(SupervisorError) {
        try await passPowerGate(.reboot, PowerReboot.name, force: force, requestID)
    }

    public func powerOff(force: Bool, requestID: String?) async throws(SupervisorError) {
        try await passPowerGate(.powerOff, PowerPowerOff.name, force: force, requestID)
    }

    private func passPowerGate(
        _ kind: PowerGate.Kind,
        _ operation: String,
        force: Bool,
        _ requestID: String?
    ) async throws(SupervisorError) {
        guard !isStopping else { throw SupervisorError(.unavailable, "The supervisor is stopping") }
        guard parts.host.provides(operation) else {
            throw SupervisorError(.notSupported, "This device has no plugin for \(operation)")
        }
        guard powerCallers.count < AppGate.maximumWaiters else {
            throw SupervisorError(.busy, "Too many requests of this kind are under way", retryAfter: 5)
        }
        let error: SupervisorError? = await withCheckedContinuation { continuation in
            nextPowerCaller += 1
            powerCallers[nextPowerCaller] = continuation
            if !power.isClosed { powerHold.requestID = requestID }
            advancePower(.request(kind, caller: nextPowerCaller, force: force))
        }
        if let error { throw error }
    }

    // MARK: The closed gate

    /// Throws while a reboot or power-off is under way: nothing may change then.
    func refuseWhileFrozen() throws(SupervisorError) {
        guard let state = power.state else { return }
        throw SupervisorError(.busy, "A \(state.kind.text) is under way", retryAfter: 15)
    }

    /// nil while nothing of the kind is under way.
    func powerStatus(_ now: Duration) -> JSONValue {
        guard let state = power.state else { return .null }
        return [
            "kind": .string(state.kind.rawValue),
            "phase": .string(state.phase.rawValue),
            "sinceSec": .integer((now - state.since).components.seconds),
        ]
    }

    private func advancePower(_ event: PowerGate.Event) {
        let before = power.state
        let effects = power.handle(event, at: parts.clock.now)
        publishPower(before)
        for effect in effects { perform(effect) }
    }

    private func publishPower(_ before: (kind: PowerGate.Kind, phase: PowerGate.Phase, since: Duration)?) {
        guard let state = power.state else {
            if before != nil { publish(.powerGateOpened) }
            return
        }
        if before == nil {
            publish(.powerGateClosed(state.kind.rawValue))
        } else if before?.phase != state.phase {
            publish(.powerPhase(state.kind.rawValue, state.phase.rawValue))
        }
    }

    private func perform(_ effect: PowerGate.Effect) {
        switch effect {
        case .enter(let force): own { $0.advancePower(await $0.enterForPower(force: force)) }
        case .stop(let force): own { $0.advancePower(await $0.stopForPower(force: force)) }
        case .call(let kind): own { $0.advancePower(await $0.callPower(kind)) }
        case .ask(let delay): own { $0.advancePower(await $0.askForPower(after: delay)) }
        case .start:
            own { supervisor in
                await supervisor.startAfterPower()
                supervisor.advancePower(.started)
            }
        case .answer(let callers, let error):
            if let error { logger.warning("\(error)", metadata: powerMetadata) }
            for caller in callers { powerCallers.removeValue(forKey: caller)?.resume(returning: error) }
        case .open:
            powerHold = PowerHold()
            // Whatever was asked for meanwhile is done now.
            requestCheck()
            scheduleReaping()
        }
    }

    private var powerMetadata: Logger.Metadata {
        powerHold.requestID.map { ["request-id": "\($0)"] } ?? [:]
    }

    // MARK: Entering

    /// Waits for what is under way, and takes the locks of all applications or none.
    private func enterForPower(force: Bool) async -> PowerGate.Event {
        do throws(SupervisorError) {
            do throws(SupervisorError) {
                try await requireDisk(within: force ? Self.diskShortPatience : Self.diskPatience)
            } catch {
                // Nor may what holds a gate and waits for it keep us from the reboot that is to cure it.
                guard force else { throw error }
                logger.warning("The disk is not waited for: \(error)", metadata: powerMetadata)
                return .entered
            }
            try await enterAllGates(force: force)
            powerHold.locks = try await takeLocks(of: powerHold.entered, force: force)
            return .entered
        } catch {
            return .failed(Self.engineError(error))
        }
    }

    private func enterAllGates(force: Bool) async throws(SupervisorError) {
        var deadline = parts.clock.now
        while true {
            do throws(SupervisorError) {
                try await refreshContainers()
            } catch {
                // An engine that hangs may be what a forced reboot is to cure.
                guard force else { throw error }
                logger.warning("The engine is not waited for: \(error)", metadata: powerMetadata)
            }
            // Others may have come while we waited for a gate.
            let apps = inventory.apps
                .union(target?.apps.map(\.id) ?? []).subtracting(powerHold.entered).sorted()
            guard let longest = apps.map({ gatePatience($0) }).max() else { return }
            deadline = max(deadline, parts.clock.now + longest)
            for app in apps {
                guard await enterGate(app, within: max(.zero, deadline - parts.clock.now)) else {
                    throw SupervisorError(.locked, "Another operation on application \(app) is under way")
                }
                powerHold.entered.append(app)
            }
        }
    }

    // MARK: Stopping

    private enum Stop: Sendable {
        case done(CurrentState.Instance)
        case failed(CurrentState.Instance, SupervisorError)
        case tooLate
    }

    /// Stops everything that lives, all at once. What does not stop keeps a shutdown that is not forced from happening.
    private func stopForPower(force: Bool) async -> PowerGate.Event {
        // A shutdown stops new connections before those that are up.
        await parts.host.connect([PowerReboot.name, PowerPowerOff.name, PowerStatus.name])
        let instances = instances.filter(\.state.isAlive).sorted { ($0.key, $0.id) < ($1.key, $1.id) }
        let limit = (powerHold.entered.map { targetInForce.stopTimeout($0) }.max() ?? .zero) + .seconds(30)
        let failure = await stopAll(instances, within: limit)
        for key in Set(powerHold.stopped.map(\.key)).sorted() where !inventory.isAlive(key) {
            do throws(SupervisorError) {
                try await requireDisk(within: Self.diskShortPatience)
                try await swapLocks(key)
            } catch {
                // It is done again before the service starts.
                logger.warning("The locks of \(key) stay for now: \(error)", metadata: powerMetadata)
            }
        }
        guard let failure, !force else { return .stopped }
        return .failed(Self.engineError(failure))
    }

    /// Returns why the first of those that did not stop did not.
    private func stopAll(_ instances: [CurrentState.Instance], within limit: Duration) async -> SupervisorError? {
        guard !instances.isEmpty else { return nil }
        let clock = parts.clock
        return await withTaskGroup(of: Stop.self, returning: SupervisorError?.self) { group in
            for instance in instances { group.addTask { await self.stopForPower(instance) } }
            group.addTask {
                try? await clock.sleep(for: limit)
                return .tooLate
            }
            var failure: SupervisorError?
            var left = instances.count
            while left > 0, let outcome = await group.next() {
                switch outcome {
                case .done(let instance):
                    powerHold.stopped.append(instance)
                    left -= 1
                case .failed(let instance, let error):
                    logger.warning("\(instance.key) does not stop: \(error)", metadata: powerMetadata)
                    failure = failure ?? SupervisorError(error.code, "\(instance.key) does not stop: \(error)")
                    left -= 1
                case .tooLate:
                    let text = "Not every application stopped within \(limit.components.seconds) s"
                    failure = failure ?? SupervisorError(.failed, text)
                    group.cancelAll()
                }
            }
            group.cancelAll()
            return failure
        }
    }

    private func stopForPower(_ instance: CurrentState.Instance) async -> Stop {
        do throws(SupervisorError) {
            try await stopContainer(instance.key, instance.id)
            return .done(instance)
        } catch {
            return .failed(instance, error)
        }
    }

    // MARK: Asking the host

    /// Never called twice for one passage.
    private func callPower(_ kind: PowerGate.Kind) async -> PowerGate.Event {
        guard !isStopping else { return .failed(SupervisorError(.unavailable, "The supervisor is stopping")) }
        logger.notice("Applications are stopped, asking for a \(kind.text)", metadata: powerMetadata)
        let requestID = powerHold.requestID
        do throws(HostOperationError) {
            switch kind {
            case .reboot: _ = try await parts.host.call(PowerReboot.self, EmptyPayload(), requestID: requestID)
            case .powerOff: _ = try await parts.host.call(PowerPowerOff.self, EmptyPayload(), requestID: requestID)
            }
            logger.notice("The \(kind.text) is accepted", metadata: powerMetadata)
            return .accepted
        } catch {
            if error.isOutcomeUnknown || error.code == .timeout {
                logger.warning("Nobody knows yet what became of the \(kind.text): \(error)", metadata: powerMetadata)
                return .outcomeLost(error.message)
            }
            return .failed(Self.powerError(SupervisorError(error)))
        }
    }

    private func askForPower(after delay: Duration) async -> PowerGate.Event {
        let clock = parts.clock
        if delay > .zero, !isStopping {
            let pause = Task(executorPreference: parts.executor) { _ = try? await clock.sleep(for: delay) }
            powerPause = pause
            await pause.value
            powerPause = nil
        }
        guard !isStopping else { return .coreStops }
        do throws(HostOperationError) {
            let requestID = powerHold.requestID
            let reply = try await parts.host.call(PowerStatus.self, EmptyPayload(), requestID: requestID)
            return .status(reply.preparing)
        } catch {
            return .statusUnavailable(error.message)
        }
    }

    // MARK: Giving up

    /// Applications run again, and everybody else has his turn.
    private func startAfterPower() async {
        // Before the first start: a lock of ours must not be what an application finds.
        if let locks = powerHold.locks { await release(locks) }
        powerHold.locks = nil
        for instance in powerHold.stopped.sorted(by: { startOrder($0) < startOrder($1) }) {
            do throws(SupervisorError) {
                try await startContainer(instance.key, instance.id)
            } catch {
                // The update cycle goes on trying.
                logger.warning("\(instance.key) does not start again: \(error)", metadata: powerMetadata)
            }
        }
        progress.begin(.idle)
        for app in powerHold.entered { leaveGate(app) }
        powerHold.entered = []
    }

    /// As the update cycle starts them.
    private func startOrder(_ instance: CurrentState.Instance) -> (AppID, Int, String, String) {
        let services = target?[instance.key.app]?.services
        let place = services?.firstIndex { $0.name == instance.key.service } ?? Int.max
        return (instance.key.app, place, instance.key.service, instance.id)
    }

    // MARK: Telling

    /// Before the host is asked: locked and not now are told as they are, everything else is a failure.
    private static func engineError(_ error: SupervisorError) -> SupervisorError {
        switch error.code {
        case .locked, .busy: error
        default: SupervisorError(.failed, error.message)
        }
    }

    /// What the host has to say: away, not now and nobody there are told as they are, everything else is a failure.
    private static func powerError(_ error: SupervisorError) -> SupervisorError {
        switch error.code {
        case .unavailable, .busy, .notSupported: error
        default: SupervisorError(.failed, error.message)
        }
    }
}
