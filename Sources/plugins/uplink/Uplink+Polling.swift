import SupervisorEventLoop
import SupervisorPluginAPI

/// Fetching targets: at an interval, and when the supervisor or the service asks for it.
extension Uplink {
    /// Ends when the device is disconnected.
    func pollForever() async {
        guard let cloud else { return }
        var poll = TargetPoll(TargetHandOver(directory: settings.targetDirectory))
        var backOff = BackOff(first: min(.seconds(15), settings.pollInterval), limit: settings.pollInterval)
        while let identity, identity.isRegistered, !identity.isDisconnected {
            let callers = takeRefreshers()
            let delay: Duration
            do throws(CloudError) {
                let isChanged = try await poll.poll(identity, cloud)
                if isChanged {
                    PluginLog.notice("The service has a new target")
                    targetChanged()
                }
                backOff.succeeded()
                polled(nil)
                for caller in callers { caller.resume(returning: .success(isChanged)) }
                delay = settings.pollInterval + .seconds(1) * Double.random(in: 0...jitter)
            } catch {
                PluginLog.info("The target was not fetched: \(error)")
                polled(error.description)
                for caller in callers {
                    caller.resume(returning: .failure(PluginError(.unavailable, error.description)))
                }
                delay = backOff.failed(retryAfter: error.retryAfter)
            }
            await pollSignal.wait(upTo: delay)
        }
        for caller in takeRefreshers() {
            caller.resume(returning: .failure(PluginError(.unavailable, "the device is disconnected")))
        }
        do throws(CloudError) {
            try await TargetHandOver(directory: settings.targetDirectory).remove()
            targetChanged()
        } catch {
            PluginLog.error(error.description)
        }
    }

    /// Seconds by which polls are spread, so that the devices of a fleet do not come at once.
    private var jitter: Double { min(60, Double(settings.pollInterval.components.seconds) / 10) }

    /// Polls now, or once more after the poll that is under way.
    func refresh() async throws(PluginError) -> CloudRefresh.Reply {
        guard identity?.isRegistered == true, identity?.isDisconnected == false else {
            throw PluginError(.unavailable, "the device is not registered with a remote service", isRetryable: false)
        }
        let outcome = await withCheckedContinuation { continuation in
            refreshers.append(continuation)
            pollSignal.raise()
        }
        return CloudRefresh.Reply(isChanged: try outcome.get())
    }
}
