public import HostOperations
public import JSON

/// The operations on the host that the core needs. It names operations, never their providers.
///
/// Every call ends within a deadline of its own. An operation that is not idempotent is never sent twice.
public protocol HostOperations: Sendable {
    /// Has the operation done by its provider. `requestID` is for the log.
    func call<Operation: HostOperation>(
        _ operation: Operation.Type,
        _ parameters: Operation.Parameters,
        requestID: String?
    ) async throws(HostOperationError) -> Operation.Reply

    /// Whether a plugin for the operation is on this device, up or not: a call might succeed, now or later. Asked on the
    /// event loop, and cheap.
    func provides(_ operation: String) -> Bool

    /// Makes sure that the providers of these operations are connected, as far as possible: a shutdown stops new
    /// connections before it stops those that are up.
    func connect(_ operations: [String]) async

    /// Calls `handle` on the event loop for what providers report by themselves. Set once, before anything is called.
    func observe(_ handle: @escaping @Sendable (HostEvent) -> Void)

    /// nil while every essential provider is up or absent, otherwise one line. Asked on the event loop.
    func ailment() -> String?

    /// Everything that `superctl plugins` shows: an array, an element for each manifest.
    func plugins() async -> JSONValue

    /// Drives one operation by hand. Returns {"result":…} or {"error":…}, with "provider", "durationMicroseconds" and, if
    /// `recordsFrames`, "frames", free of secrets.
    func call(
        named operation: String,
        _ parameters: JSONObject,
        recordsFrames: Bool
    ) async throws(HostOperationError) -> JSONValue
}
