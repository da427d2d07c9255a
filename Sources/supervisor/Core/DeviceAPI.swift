public import JSON

/// What the HTTP API and the control socket can ask of the device.
///
/// The actor runs on the event loop of the process, so that channel handlers may enter it with `assumeIsolated` for what
/// is answered at once. A mutating operation that has begun belongs to the core: cancelling the caller's task does not
/// cancel it.
public protocol DeviceAPI: Actor {
    /// Whether `key` is the API key; compared in constant time.
    func accepts(key: String) -> Bool

    /// nil while the device is healthy, otherwise one line that names what is wrong.
    func ailment() -> String?

    /// The body of GET /v1/device, members in the order of docs/api.md.
    func device() async -> JSONValue

    /// The body of GET /v1/apps/:appId. Never waits for an update.
    func application(_ id: AppID) async throws(SupervisorError) -> JSONValue

    /// Starts an update check, whatever back-off is running. Returns at once.
    func requestUpdate(force: Bool)

    /// Empties the application's /data. Returns when the application runs again.
    func purge(_ id: AppID, force: Bool) async throws(SupervisorError)

    /// Removes the application's container, recreates it and starts it.
    func restart(_ id: AppID, force: Bool) async throws(SupervisorError)

    /// Stops the application's container and keeps it. Returns the container's id (64 hex digits).
    func stop(_ id: AppID, force: Bool) async throws(SupervisorError) -> String

    /// Starts the application's container. Returns the container's id (64 hex digits).
    func start(_ id: AppID) async throws(SupervisorError) -> String

    /// Replaces the API key and returns the new one; the former is invalid when this returns.
    func regenerateKey() async throws(SupervisorError) -> String

    // MARK: the host; `requestID` is for the log

    /// Blinks the board's LED for 15 s from now. Returns whether there is one.
    func blink(requestID: String?) async throws(SupervisorError) -> Bool

    /// Stops all applications and reboots the host. Returns when the host has accepted; throws with all applications
    /// running again. A second caller joins the first; `locked` while a power-off is under way.
    func reboot(force: Bool, requestID: String?) async throws(SupervisorError)

    /// As `reboot`, and the host stays off.
    func powerOff(force: Bool, requestID: String?) async throws(SupervisorError)

    /// Switches the TCP heartbeat on or off. Returns when the choice is kept; a plugin that is away learns it later.
    func setTCPPing(_ isEnabled: Bool, requestID: String?) async throws(SupervisorError)

    /// The body of GET /v1/device/host-config: {network: {proxy, hostname}}. What nothing on this device provides is null;
    /// `notSupported` where that is both.
    func hostConfig(requestID: String?) async throws(SupervisorError) -> JSONValue

    /// Merges the body of PATCH /v1/device/host-config into what is. Throws `invalidArgument` that names the field before
    /// anything has changed. One at a time, in the order in which they came.
    func setHostConfig(_ patch: JSONObject, requestID: String?) async throws(SupervisorError)

    // MARK: for the control socket only

    /// The API key, for operators.
    func currentKey() -> String

    /// Everything that `superctl status` shows.
    func status() async -> JSONValue

    /// The update locks that are held: an array of {appId, service, path, holder, since, reason?}.
    func locks() async -> JSONValue

    /// Returns when no update lock is held.
    func waitUntilUnlocked() async throws(SupervisorError)

    /// Everything that `superctl plugins` shows.
    func plugins() async -> JSONValue

    /// Calls an operation of a plugin directly, without the core's own checks: {"result":…} or {"error":…} and more.
    func call(_ operation: String, _ parameters: JSONObject, record: Bool) async throws(SupervisorError) -> JSONValue

    /// What happens to the device: first what has happened in the last `maximumAge` seconds (nil: all that is kept), then
    /// everything new, an object {time, event, …} each. Ends when the core stops.
    func events(maximumAge: Int64?) -> LineStream

    /// The last `tail` lines that the application's services wrote, or one of them: objects {service, stream, text}, at the
    /// end {end: true} or {error}. With `follow` new lines come until the core stops, across updates and restarts.
    func logs(
        _ id: AppID,
        service: String?,
        tail: Int,
        follow: Bool
    ) async throws(SupervisorError) -> LineStream

    /// The configuration in effect: an array of {section, key, value, source, …}.
    func configuration() async -> JSONValue

    /// The volumes of applications: an array of {name, appId, app, volume, state}.
    func volumes() async throws(SupervisorError) -> JSONValue

    /// Reloads the configuration. Throws `invalidArgument` with file, line and key if it is wrong; the current
    /// configuration then stays in effect.
    func reload() async throws(SupervisorError)
}
