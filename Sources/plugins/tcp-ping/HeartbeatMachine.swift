import SupervisorPluginAPI

/// When an attempt begins, and what is known. Does nothing by itself: events go in, effects come out.
///
/// Times are on a monotonic clock.
struct HeartbeatMachine: Sendable {
    enum Event: Sendable, Hashable {
        case enable
        case disable
        case vpn(isUp: Bool)
        /// `nextBegin` may have come.
        case time
        case finished(attempt: Int, isConnected: Bool)
    }

    enum Effect: Sendable, Hashable {
        case begin(attempt: Int)
        /// The one that is under way.
        case abandon
        case notify(TCPPingState)
    }

    let interval: Duration
    private(set) var isEnabled = false
    private(set) var isVPNUp: Bool
    private var attempt: Int?
    private var attempts = 0
    private var lastBegin: Duration?
    /// What the last attempt has shown, or the VPN before it went down.
    private var isReached: Bool?

    init(interval: Duration, isVPNUp: Bool) {
        self.interval = interval
        self.isVPNUp = isVPNUp
    }

    var state: TCPPingState {
        TCPPingState(isEnabled: isEnabled, isConnected: isVPNUp ? true : isEnabled ? isReached : nil)
    }

    /// When `time` is due; nil while there is nothing to wait for.
    var nextBegin: Duration? {
        guard isEnabled, !isVPNUp, attempt == nil, let lastBegin else { return nil }
        return lastBegin + interval
    }

    mutating func handle(_ event: Event, at now: Duration) -> [Effect] {
        let before = state
        var effects: [Effect] = []
        switch event {
        case .enable:
            guard !isEnabled else { return [] }
            isEnabled = true
            isReached = nil
            lastBegin = nil
        case .disable:
            isEnabled = false
            abandon(&effects)
        case .vpn(let isUp):
            guard isUp != isVPNUp else { return [] }
            isVPNUp = isUp
            // Still so when the VPN goes down, until the attempt that begins then has shown something else.
            isReached = true
            lastBegin = nil
            abandon(&effects)
        case .time:
            break
        case .finished(let number, let isConnected):
            guard number == attempt else { return [] }
            attempt = nil
            isReached = isConnected
        }
        if state != before { effects.append(.notify(state)) }
        if isEnabled, !isVPNUp, attempt == nil, lastBegin.map({ now >= $0 + interval }) ?? true {
            attempts += 1
            attempt = attempts
            lastBegin = now
            effects.append(.begin(attempt: attempts))
        }
        return effects
    }

    private mutating func abandon(_ effects: inout [Effect]) {
        guard attempt != nil else { return }
        attempt = nil
        effects.append(.abandon)
    }
}
