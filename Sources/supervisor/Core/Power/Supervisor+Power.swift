import HostOperations
import JSON
import Logging
import SupervisorPorts

/// Reboot and power-off: everything that `PowerGate` decides is done here.
extension Supervisor {
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
        try refuseWhileStopping()
        guard parts.host.provides(operation) else {
            throw SupervisorError(.notSupported, "This device has no plugin for \(operation)")
        }
        guard !power.isCrowded else {
            throw SupervisorError(.busy, "Too many requests of this kind are under way", retryAfter: 5)
        }
        let error: SupervisorError? = await withCheckedContinuation { continuation in
            let caller = power.add(continuation, requestID: requestID)
            advancePower(.request(kind, caller: caller, force: force))
        }
        if let error { throw error }
    }

    // MARK: The closed gate

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
            if let error { logger.warning("\(error)", metadata: power.metadata) }
            power.answer(callers, error)
        case .open:
            power.reset()
            // Whatever was asked for meanwhile is done now.
            requestCheck()
            scheduleReaping()
        }
    }

    // MARK: Entering

    /// Waits for what is under way, and takes the locks of all applications or none.
    private func enterForPower(force: Bool) async -> PowerGate.Event {
        do throws(SupervisorError) {
            let isTold = try await refuseWhileInhibited()
            do throws(SupervisorError) {
                try await requireDisk(within: force ? DiskWatch.shortPatience : DiskWatch.patience)
            } catch {
                // Nor may what holds a gate and waits for it keep us from the reboot that is to cure it.
                guard force else { throw error }
                logger.warning("Not waiting for the disk: \(error)", metadata: power.metadata)
                return .entered
            }
            try await enterAllGates(force: force)
            power.hold(try await takeLocks(of: power.entered, force: force))
            // Whatever has come while we waited for gates and locks: no application is stopped yet.
            if isTold { try await refuseWhileInhibited() }
            return .entered
        } catch {
            return .failed(Self.engineError(error))
        }
    }

    /// Throws `busy` where the host would refuse because a program holds it off. `force` is for the locks of applications: as
    /// with logind, it does not override what another program of the host asks for. A host that does not say is asked for the
    /// operation itself. Returns whether it says.
    @discardableResult
    private func refuseWhileInhibited() async throws(SupervisorError) -> Bool {
        guard parts.host.provides(PowerStatus.name), let kind = power.state?.kind else { return false }
        let reply: PowerStatus.Reply
        do throws(HostOperationError) {
            reply = try await parts.host.call(PowerStatus.self, EmptyPayload(), requestID: power.requestID)
        } catch {
            logger.info("Not known whether a program inhibits the \(kind.apiText): \(error)", metadata: power.metadata)
            return false
        }
        guard let inhibited = reply.inhibited else { return true }
        // It comes from a program on the host, by way of a plugin.
        let reason = String(
            decoding: inhibited.utf8.prefix(1000).map { $0 < 0x20 || $0 == 0x7F ? 0x20 : $0 },
            as: UTF8.self
        )
        throw SupervisorError(.busy, "The device cannot \(kind.verb): \(reason)", retryAfter: 15)
    }

    private func enterAllGates(force: Bool) async throws(SupervisorError) {
        var deadline = parts.clock.now
        while true {
            do throws(SupervisorError) {
                try await refreshContainers()
            } catch {
                // An engine that hangs may be what a forced reboot is to cure.
                guard force else { throw error }
                logger.warning("Not waiting for the engine: \(error)", metadata: power.metadata)
            }
            // Others may have come while we waited for a gate.
            let apps = inventory.apps
                .union(target?.apps.map(\.id) ?? []).subtracting(power.entered).sorted()
            guard let longest = apps.map({ gatePatience($0) }).max() else { return }
            deadline = max(deadline, parts.clock.now + longest)
            for app in apps {
                guard await enterGate(app, within: max(.zero, deadline - parts.clock.now)) else {
                    throw SupervisorError(.locked, "Another operation on application \(app) is under way")
                }
                power.enter(app)
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
        let limit = (power.entered.map { targetInForce.stopTimeout($0) }.max() ?? .zero) + .seconds(30)
        let failure = await stopAll(instances, within: limit)
        for key in Set(power.stoppedInstances.map(\.key)).sorted() where !inventory.isAlive(key) {
            do throws(SupervisorError) {
                try await requireDisk(within: DiskWatch.shortPatience)
                try await swapLocks(key)
            } catch {
                // It is done again before the service starts.
                logger.warning("The locks of \(key) are not removed yet: \(error)", metadata: power.metadata)
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
                    power.stopped(instance)
                    left -= 1
                case .failed(let instance, let error):
                    logger.warning("\(instance.key) did not stop: \(error)", metadata: power.metadata)
                    failure = failure ?? SupervisorError(error.code, "\(instance.key) did not stop: \(error)")
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

    /// Never called twice for one attempt.
    private func callPower(_ kind: PowerGate.Kind) async -> PowerGate.Event {
        guard !isStopping else { return .failed(.stopping) }
        logger.notice("Applications are stopped, asking for a \(kind.apiText)", metadata: power.metadata)
        let requestID = power.requestID
        do throws(HostOperationError) {
            switch kind {
            case .reboot: _ = try await parts.host.call(PowerReboot.self, EmptyPayload(), requestID: requestID)
            case .powerOff: _ = try await parts.host.call(PowerPowerOff.self, EmptyPayload(), requestID: requestID)
            }
            logger.notice("The \(kind.apiText) is accepted", metadata: power.metadata)
            return .accepted
        } catch {
            if error.isOutcomeUnknown || error.code == .timeout {
                logger.warning(
                    "It is not known yet what became of the \(kind.apiText): \(error)",
                    metadata: power.metadata
                )
                return .outcomeLost(error.message)
            }
            return .failed(Self.powerError(SupervisorError(error)))
        }
    }

    private func askForPower(after delay: Duration) async -> PowerGate.Event {
        if delay > .zero, !isStopping {
            let pause = after(delay) { _ in }
            power.pause(by: pause)
            await pause.value
            power.pause(by: nil)
        }
        guard !isStopping else { return .coreStops }
        do throws(HostOperationError) {
            let requestID = power.requestID
            let reply = try await parts.host.call(PowerStatus.self, EmptyPayload(), requestID: requestID)
            return .status(reply.preparing)
        } catch {
            return .statusUnavailable(error.message)
        }
    }

    // MARK: Giving up

    /// Applications run again, and everybody else has their turn.
    private func startAfterPower() async {
        // Before the first start: a lock of ours must not be what an application finds.
        if let locks = power.removeLocks() { await release(locks) }
        for instance in power.stoppedInstances.sorted(by: { startOrder($0) < startOrder($1) }) {
            do throws(SupervisorError) {
                try await startContainer(instance.key, instance.id)
            } catch {
                // The update cycle keeps trying.
                logger.warning("\(instance.key) did not start again: \(error)", metadata: power.metadata)
            }
        }
        progress.begin(.idle)
        for app in power.leaveAll() { leaveGate(app) }
    }

    /// As the update cycle starts them.
    func startOrder(_ instance: CurrentState.Instance) -> (AppID, Int, String, String) {
        let services = target?[instance.key.app]?.services
        let place = services?.firstIndex { $0.name == instance.key.service } ?? Int.max
        return (instance.key.app, place, instance.key.service, instance.id)
    }

    // MARK: Reporting

    /// Before the host is asked: `locked` and `busy` stay as they are, everything else is a failure.
    private static func engineError(_ error: SupervisorError) -> SupervisorError {
        switch error.code {
        case .locked, .busy: error
        default: SupervisorError(.failed, error.message)
        }
    }

    /// The host's answer: `unavailable`, `busy` and `notSupported` stay as they are, everything else is a failure.
    private static func powerError(_ error: SupervisorError) -> SupervisorError {
        switch error.code {
        case .unavailable, .busy, .notSupported: error
        default: SupervisorError(.failed, error.message)
        }
    }
}
