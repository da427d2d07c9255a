/// What does not change while a supervisor runs.
public struct DeviceIdentity: Sendable, Hashable {
    /// 32 hex digits.
    public var uuid: String
    public var deviceType: String
    /// The host's operating system, such as "Debian GNU/Linux 12 (bookworm)".
    public var osVersion: String
    /// The version of this program.
    public var supervisorVersion: String

    /// The processor, in the names that balena has for it: "aarch64", "armv7hf", "rpi", "amd64" or "i386"; what uname(2) says
    /// for another one.
    public var architecture: String

    public init(
        uuid: String,
        deviceType: String,
        osVersion: String,
        supervisorVersion: String,
        architecture: String = "amd64"
    ) {
        self.uuid = uuid
        self.deviceType = deviceType
        self.osVersion = osVersion
        self.supervisorVersion = supervisorVersion
        self.architecture = architecture
    }
}
