/// The container engine as the core sees it: just what it takes to run our own containers.
///
/// Every call has a time-out of its own inside and fails with a typed error. `unavailable` is a state of the engine, not
/// a fault of ours.
public protocol ContainerEngine: Sendable {
    /// Asks the engine whether it answers, and agrees on the version of its API. Returns what it calls itself.
    func ping() async throws(EngineError) -> EngineInformation

    /// All containers, in any state, that carry `label` (a label's name).
    func containers(label: String) async throws(EngineError) -> [EngineContainer]

    /// nil where there is none.
    func inspect(container id: String) async throws(EngineError) -> EngineContainerDetail?

    /// Returns the container's full id.
    func create(_ specification: ContainerSpecification) async throws(EngineError) -> String

    /// Returns false where it runs already.
    @discardableResult
    func start(container id: String) async throws(EngineError) -> Bool

    /// Asks the process to end, and kills it after `timeout`; nil means the container's own. Stopping a stopped
    /// container succeeds.
    func stop(container id: String, timeout: Duration?) async throws(EngineError)

    /// Removes a stopped container with its anonymous volumes. Removing an absent one succeeds.
    func remove(container id: String) async throws(EngineError)

    /// nil where the engine does not have it.
    func image(_ reference: String) async throws(EngineError) -> EngineImage?

    /// Downloads an image. `progress` is called on the event loop with a percentage from 0 to 100 that never falls.
    /// Cancelling the task aborts the download. Without credentials the download is anonymous.
    func pull(
        _ reference: String,
        credentials: RegistryCredentials?,
        progress: @escaping @Sendable (Double) -> Void
    ) async throws(EngineError)

    /// Removing an absent image succeeds; one that a container uses fails with `conflict`.
    func remove(image reference: String) async throws(EngineError)

    /// The IPv4 gateway of a network as a container of it sees the host; nil where the network has none.
    func gateway(network: String) async throws(EngineError) -> String?

    /// The networks that carry `label` (a label's name); with nil all that the engine has.
    func networks(label: String?) async throws(EngineError) -> [EngineNetwork]

    /// Returns the network's id. `conflict` where its name is taken.
    func create(_ specification: NetworkSpecification) async throws(EngineError) -> String

    /// The names of the containers that run on a network.
    func containers(onNetwork id: String) async throws(EngineError) -> [String]

    /// Removing an absent network succeeds; one with containers on it fails with `conflict`.
    func remove(network id: String) async throws(EngineError)

    /// The volumes that carry `label` (a label's name); with nil all that the engine has.
    func volumes(label: String?) async throws(EngineError) -> [EngineVolume]

    /// Making one that is there already succeeds and changes nothing.
    func create(_ specification: VolumeSpecification) async throws(EngineError)

    /// Calls `handle` on the event loop for each line that a container wrote to its output, oldest first: the last `tail`
    /// ones, then, with `follow`, each new one until the container ends. `since`, a time since 1970, leaves out what is
    /// older. Returns at the end; cancelling the task ends it.
    func logs(
        container id: String,
        tail: Int,
        since: Duration?,
        follow: Bool,
        handle: @escaping @Sendable (EngineLogLine) -> Void
    ) async throws(EngineError)

    /// Calls `handle` on the event loop for each event of a container that carries `label`, first with `.connected` once
    /// the stream is up. Returns when the stream ends; throws when it cannot be had. Does not reconnect by itself.
    func events(label: String, handle: @escaping @Sendable (EngineEvent) -> Void) async throws(EngineError)
}
