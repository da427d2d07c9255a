/// tcp-ping.disable: ends the heartbeat.
public enum TCPPingDisable: HostOperation {
    public static let name = "tcp-ping.disable"
    public static let isIdempotent = true
    public typealias Parameters = EmptyPayload
    public typealias Reply = TCPPingState
}
