import JSON
import NIOHTTP1
import UnixHTTP

/// What the service knows of the device, and what it is to be told: only what has changed since the last report that it has
/// accepted, and an application as a whole.
struct StateReport: Sendable {
    private var accepted: JSONObject?

    /// nil where the service knows all of it.
    func changes(to state: JSONObject) -> JSONObject? {
        guard let accepted else { return state }
        var changes: JSONObject = [:]
        for member in state where accepted[member.name] != member.value {
            guard member.name == "apps", let apps = member.value.objectValue else {
                changes[member.name] = member.value
                continue
            }
            let known = accepted["apps"]?.objectValue ?? [:]
            let changed = apps.members.filter { known[$0.name] != $0.value }
            if !changed.isEmpty { changes["apps"] = .object(JSONObject(changed.map { ($0.name, $0.value) })) }
        }
        return changes.isEmpty ? nil : changes
    }

    /// Sends what has changed. Throws where the service has not accepted it; then it is sent with the next one.
    mutating func send(_ state: JSONObject, _ identity: Identity, _ client: CloudClient) async throws(CloudError) {
        guard let changes = changes(to: state) else { return }
        let answer = try await client.request(
            .PATCH,
            "/device/v2/\(identity.uuid)/state",
            key: identity.deviceKey,
            body: ["local": .object(changes)]
        )
        guard answer.isSuccess else { throw CloudError(answer, from: client.server, attempting: "take the report") }
        accepted = state
    }
}
