/// Every operation of the plugin protocol, in the order of docs/plugin-protocol.md.
///
/// The one list of them: the plugin host and the conformance kit hold plugins against it.
public enum KnownOperations {
    public static let all: [any HostOperation.Type] = [
        PowerReboot.self, PowerPowerOff.self, PowerStatus.self, HostnameGet.self, HostnameSet.self, ProxyGet.self,
        ProxySet.self, ProxyClear.self, LEDBlink.self, TCPPingEnable.self, TCPPingDisable.self, TCPPingStatus.self,
        StorageReap.self, StorageLockSpace.self, UplinkStatus.self, UplinkRegister.self, UplinkDisconnect.self,
        CloudRefresh.self, CloudReport.self,
    ]

    private static let byName = Dictionary(all.map { ($0.name, $0) }) { first, _ in first }

    /// nil for an operation that the protocol does not define.
    public static func operation(named name: String) -> (any HostOperation.Type)? { byName[name] }
}
