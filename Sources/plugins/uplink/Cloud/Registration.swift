import JSON
import LinuxSupport
import NIOHTTP1
import SupervisorPluginAPI
import SupervisorVersion
import UnixHTTP

/// Makes the device known to the service.
struct Registration: Sendable {
    var client: CloudClient
    var settings: UplinkSettings
    var deviceType: String
    /// What the device reports of itself, of which the registration takes some members.
    var state: JSONObject

    /// Registers the device of that identity, and returns the number that the service has for it.
    func register(_ identity: Identity) async throws(CloudError) -> Int64 {
        let token = try provisioningToken()
        PluginLog.redact(token)
        var body: JSONObject = [
            "uuid": .string(identity.uuid), "device_type": .string(deviceType), "api_key": .string(identity.deviceKey),
            "supervisor_version": .string(Version.text),
        ]
        if let application = settings.application {
            body["application"] = Int64(application).map(JSONValue.integer) ?? .string(application)
        }
        for name in ["os_version", "os_variant", "mac_address"] {
            if let value = state[name], value.stringValue != nil { body[name] = value }
        }
        let answer = try await client.request(.POST, "/device/register", key: token, body: .object(body))
        switch answer.status {
        case 200, 201:
            guard let id = (try? JSONValue(parsing: answer.body))?["id"]?.integerValue else {
                throw CloudError(.malformedAnswer, "\(client.server) registered the device without an id")
            }
            return id
        case 409: return try await exchangeKey(identity, token)
        default: throw CloudError(answer, from: client.server, attempting: "register the device")
        }
    }

    /// The service knows the uuid: an earlier registration whose answer was lost, or a device that has lost its key.
    private func exchangeKey(_ identity: Identity, _ token: String) async throws(CloudError) -> Int64 {
        if let id = try await deviceID(identity.uuid, key: identity.deviceKey) { return id }
        guard let id = try await deviceID(identity.uuid, key: token) else {
            throw CloudError(
                .status(409),
                "\(client.server) has a device \(identity.uuid) that the provisioning token may not see"
            )
        }
        let body: JSONValue = ["apiKey": .string(identity.deviceKey)]
        let answer = try await client.request(.POST, "/api-key/device/\(id)/device-key", key: token, body: body)
        guard answer.isSuccess else {
            throw CloudError(answer, from: client.server, attempting: "give device \(id) a new key")
        }
        return id
    }

    /// nil where the key may not see the device, or there is none.
    private func deviceID(_ uuid: String, key: String) async throws(CloudError) -> Int64? {
        let answer = try await client.request(.GET, "/v7/device(uuid='\(uuid)')?$select=id", key: key)
        switch answer.status {
        case 200:
            guard let devices = (try? JSONValue(parsing: answer.body))?["d"]?.arrayValue else {
                throw CloudError(.malformedAnswer, "\(client.server) answered the question for the device with no list")
            }
            return devices.first?["id"]?.integerValue
        case 401, 403, 404: return nil
        default: throw CloudError(answer, from: client.server, attempting: "show the device")
        }
    }

    private func provisioningToken() throws(CloudError) -> String {
        let path = settings.provisioningTokenFile
        let bytes: [UInt8]?
        do throws(SystemCallError) {
            bytes = try FileSystem.read(path, limit: 4096)
        } catch {
            throw CloudError(.local, "the provisioning token cannot be read: \(error)")
        }
        guard let bytes else { throw CloudError(.local, "there is no provisioning token: \(path) does not exist") }
        let text = bytes.filter { $0 > 0x20 && $0 < 0x7F }
        guard !text.isEmpty else { throw CloudError(.local, "there is no provisioning token: \(path) is empty") }
        return String(decoding: text, as: UTF8.self)
    }
}
