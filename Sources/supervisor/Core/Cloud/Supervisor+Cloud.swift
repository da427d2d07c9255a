import HostOperations
import JSON
import Logging

/// What passes between the core and the uplink: the state of the connection, and reports of the device.
extension Supervisor {
    /// An uplink has connected: it needs to know who the device is.
    func uplinkIsReady() async {
        cloudLink.forgetReport()
        await report()
    }

    func uplinkChanged(_ parameters: JSONObject) {
        guard let new = try? UplinkState(json: parameters) else {
            return logger.warning("A plugin sent \(UplinkState.changedNotification) without its state")
        }
        let former = cloudLink.state
        guard cloudLink.set(new) else { return }
        // With the service goes its target.
        if former?.isDisconnected != new.isDisconnected { requestCheck() }
        if former?.isRegistered != new.isRegistered || former?.isConnected != new.isConnected {
            let server = new.server ?? "no server"
            logger.info(
                "The device is \(new.isRegistered ? "registered with" : "not registered with") \(server)\(new.isConnected ? " and connected" : "")"
            )
        }
    }

    /// Has the service asked for the target before the next check, for a client that wants an update now. A service that does
    /// not answer keeps no check from taking place.
    func refreshTarget() {
        guard cloudLink.canRefresh, parts.host.provides(CloudRefresh.name) else { return requestCheck() }
        own { supervisor in
            do throws(HostOperationError) {
                _ = try await supervisor.parts.host.call(CloudRefresh.self, EmptyPayload(), requestID: nil)
            } catch {
                supervisor.logger.warning("The remote service was not asked for the target: \(error)")
            }
            supervisor.requestCheck()
        }
    }

    var uplink: JSONValue { cloudLink.json(isProvided: parts.host.provides(UplinkStatus.name)) }
}
