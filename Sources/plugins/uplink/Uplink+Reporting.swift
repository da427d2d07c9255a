import SupervisorEventLoop
import SupervisorPluginAPI

/// Reporting the state of the device: the state of the moment, never a queue of old ones.
extension Uplink {
    /// Between two reports.
    private static let interval: Duration = .seconds(10)

    /// Ends when the device is disconnected.
    func reportForever() async {
        guard let cloud else { return }
        var report = StateReport()
        var backOff = BackOff(first: .seconds(15), limit: settings.pollInterval)
        while let identity, identity.isRegistered, !identity.isDisconnected {
            guard let state = self.report?.state, report.changes(to: state) != nil else {
                await reportSignal.wait()
                continue
            }
            let delay: Duration
            do throws(CloudError) {
                try await report.send(state, identity, cloud)
                backOff.succeeded()
                delay = Self.interval
            } catch {
                PluginLog.info("The report was not taken: \(error)")
                delay = backOff.failed(retryAfter: error.retryAfter)
            }
            // Not sooner than that, whatever changes meanwhile.
            let end = clock.now + delay
            while clock.now < end, self.identity?.isDisconnected == false {
                await reportSignal.wait(upTo: end - clock.now)
            }
        }
    }
}
