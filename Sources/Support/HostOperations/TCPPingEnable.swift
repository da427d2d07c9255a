/// tcp-ping.enable: begins the heartbeat.
public enum TCPPingEnable: HostOperation {
    public static let name = "tcp-ping.enable"
    public static let isIdempotent = true
    public typealias Parameters = EmptyPayload
    public typealias Reply = TCPPingState
}
