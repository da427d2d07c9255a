public import HostOperations
public import JSON

/// plugin.initialize: the first call. Says who the core is; the answer says who the plugin is and what it can do.
public enum PluginInitialize: HostOperation {
    public static let name = "plugin.initialize"
    public static let isIdempotent = false

    public struct Parameters: PluginPayload, Hashable {
        public var protocolVersions: [Int64]
        public var supervisorName: String
        public var supervisorVersion: String
        public var deviceType: String
        /// [Settings] of the manifest.
        public var settings: [String: String]

        public init(
            protocolVersions: [Int64] = [PluginProtocol.version],
            supervisorName: String = "supervisor",
            supervisorVersion: String,
            deviceType: String,
            settings: [String: String]
        ) {
            self.protocolVersions = protocolVersions
            self.supervisorName = supervisorName
            self.supervisorVersion = supervisorVersion
            self.deviceType = deviceType
            self.settings = settings
        }

        public init(json: JSONObject) throws(PluginError) {
            guard let versions = json["protocolVersions"]?.arrayValue else {
                throw PluginError(.invalidArgument, "protocolVersions is not an array")
            }
            protocolVersions = versions.compactMap(\.integerValue)
            supervisorName = json["supervisor"]?["name"]?.stringValue ?? ""
            supervisorVersion = json["supervisor"]?["version"]?.stringValue ?? ""
            deviceType = json["deviceType"]?.stringValue ?? ""
            settings = [:]
            for member in json["settings"]?.objectValue ?? [:] {
                guard let value = member.value.stringValue else {
                    throw PluginError(.invalidArgument, "settings has a member that is not a string")
                }
                settings[member.name] = value
            }
        }

        public var json: JSONObject {
            [
                "protocolVersions": .array(protocolVersions.map(JSONValue.integer)),
                "supervisor": ["name": .string(supervisorName), "version": .string(supervisorVersion)],
                "deviceType": .string(deviceType),
                "settings": .object(
                    JSONObject(settings.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })
                ),
            ]
        }
    }

    public struct Reply: PluginPayload, Hashable {
        public struct Operation: Sendable, Hashable {
            public var name: String
            public var isIdempotent: Bool

            public init(name: String, isIdempotent: Bool) {
                self.name = name
                self.isIdempotent = isIdempotent
            }
        }

        public var protocolVersion: Int64
        public var pluginName: String
        public var pluginVersion: String
        public var operations: [Operation]

        public init(protocolVersion: Int64, pluginName: String, pluginVersion: String, operations: [Operation]) {
            self.protocolVersion = protocolVersion
            self.pluginName = pluginName
            self.pluginVersion = pluginVersion
            self.operations = operations
        }

        public init(json: JSONObject) throws(PluginError) {
            protocolVersion = try json.integer("protocolVersion", in: 0...(.max))
            let plugin = json["plugin"]?.objectValue ?? [:]
            pluginName = try plugin.plainString("name")
            pluginVersion = plugin["version"]?.plainValue ?? ""
            guard let operations = json["operations"]?.arrayValue else {
                throw PluginError(.invalidArgument, "operations is not an array")
            }
            self.operations = []
            for operation in operations {
                let members = operation.objectValue ?? [:]
                self.operations.append(
                    Operation(
                        name: try members.plainString("name"),
                        isIdempotent: members["idempotent"]?.boolValue ?? false
                    )
                )
            }
        }

        public var json: JSONObject {
            [
                "protocolVersion": .integer(protocolVersion),
                "plugin": ["name": .string(pluginName), "version": .string(pluginVersion)],
                "operations": .array(
                    operations.map { ["name": .string($0.name), "idempotent": .bool($0.isIdempotent)] }
                ),
            ]
        }
    }
}
