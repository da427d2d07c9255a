/// What does not change while a supervisor runs.
public struct DeviceIdentity: Sendable, Hashable {
    /// 32 hex digits.
    public var uuid: String
    public var deviceType: String
    /// The host's operating system, such as "Debian GNU/Linux 12 (bookworm)".
    public var osVersion: String
    public var supervisorVersion: String

    public init(uuid: String, deviceType: String, osVersion: String, supervisorVersion: String) {
        self.uuid = uuid
        self.deviceType = deviceType
        self.osVersion = osVersion
        self.supervisorVersion = supervisorVersion
    }
}
