/// tcp-ping.status: the state of the heartbeat.
public enum TCPPingStatus: HostOperation {
    public static let name = "tcp-ping.status"
    public static let isIdempotent = true
    public typealias Parameters = EmptyPayload
    public typealias Reply = TCPPingState
}
