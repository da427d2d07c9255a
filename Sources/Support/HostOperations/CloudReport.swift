public import JSON

/// cloud.report: what the device is and does, for the remote service. The core calls it when that changes; the uplink
/// compares, waits and sends.
public enum CloudReport: HostOperation {
    public static let name = "cloud.report"
    public static let isIdempotent = true
    public typealias Reply = EmptyPayload

    public struct Parameters: PluginPayload, Hashable {
        /// 32 hexadecimal digits in small letters.
        public var uuid: String
        public var deviceType: String
        /// Members as the service's protocol has them: os_version, supervisor_version, ip_address, apps and so on.
        public var state: JSONObject

        public init(uuid: String, deviceType: String, state: JSONObject) {
            self.uuid = uuid
            self.deviceType = deviceType
            self.state = state
        }

        public init(json: JSONObject) throws(PluginError) {
            uuid = try json.plainString("uuid")
            deviceType = try json.plainString("deviceType")
            guard let state = json["state"]?.objectValue else {
                throw PluginError(.invalidArgument, "state is not an object")
            }
            self.state = state
        }

        public var json: JSONObject {
            ["uuid": .string(uuid), "deviceType": .string(deviceType), "state": .object(state)]
        }
    }
}
