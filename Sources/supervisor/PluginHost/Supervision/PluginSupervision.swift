/// Decides when a plugin is started, stopped, paused or given up. A pure state machine without process and clock:
/// events go in with their time, effects come out.
///
/// Every `launch` is followed by exactly one `ended`, when process and connection are gone or never came about; nothing is
/// launched before it. `failed` and `missing` may come in between.
struct PluginSupervision: Sendable {
    struct Policy: Sendable, Hashable {
        /// A socket can be closed; what is behind it cannot be killed.
        var usesSocket = false
        /// Path of the socket, for messages.
        var socket = "its socket"
        /// Kept running.
        var isPersistent = false
        /// Started once at the beginning, so that it is known whether it works.
        var isEssential = false
        var startTimeout: Duration = .seconds(5)
        var idleTimeout: Duration = .seconds(30)
        var stopTimeout: Duration = .seconds(5)

        var startsAtOnce: Bool { isPersistent || isEssential }
    }

    enum Event: Sendable, Hashable {
        /// The first event. `isThere` is false for a socket without a file.
        case begin(isThere: Bool)
        /// A caller waits for the plugin; or no caller any more.
        case demanded, undemanded
        /// The handshake is through.
        case connected
        /// Nothing listens at the socket; with a file (`isRefused`) or without.
        case missing(String, isRefused: Bool)
        case failed(String)
        /// Process and connection are gone.
        case ended
        /// Calls are under way; or none any more.
        case busy, quiet
        /// The plugin is about to be needed: not ended as idle before then.
        case held(until: Duration)
        /// There is a file at the socket's path now; or no more.
        case appeared, vanished
        /// plugin.shutdown has been answered.
        case drained
        /// The time of `nextDue` has come, or may have.
        case alarm
        /// Forget former failures.
        case closeBreaker
        /// Stop the plugin for good.
        case retire
    }

    enum Effect: Sendable, Hashable {
        case launch
        /// Waiting callers get an error.
        case refuse(String)
        case requestShutdown
        case closeInput
        case close
        /// SIGTERM, then SIGKILL.
        case terminate, kill
        case retired
    }

    /// The steps of stopping a process, each with its time limit.
    private enum Ending: Sendable {
        /// plugin.shutdown has been asked for, since calls are under way.
        case shuttingDown(until: Duration)
        case closing(until: Duration)
        case terminating(until: Duration)
        case killing

        var due: Duration? {
            switch self {
            case .shuttingDown(let due), .closing(let due), .terminating(let due): due
            case .killing: nil
            }
        }
    }

    static let firstDelay: Duration = .milliseconds(500)
    static let longestDelay: Duration = .seconds(60)
    /// This many failures within the window trip the breaker, for the length of the window.
    static let failureLimit = 5
    static let failureWindow: Duration = .seconds(300)
    /// A plugin on probation has passed when it was up for so long.
    static let probation: Duration = .seconds(10)
    /// Between two looks at a socket that refuses; doubled from the first to the last.
    static let firstLook: Duration = .milliseconds(100)
    static let lastLook: Duration = .seconds(30)

    private(set) var state: PluginState
    /// Why, in words; nil where the state says it all.
    private(set) var reason: String?
    private(set) var since: Duration
    let policy: Policy
    /// 0 up to, but not including 1.
    private let random: @Sendable () -> Double

    private var failures: [Duration] = []
    /// Without a time of health between them.
    private var failuresInARow = 0
    private var looks = 0
    /// When the state is to be looked at; the ending has a time of its own.
    private var due: Duration?
    private var ending: Ending?
    private var isUp = false
    private var isBusy = false
    private var isDemanded = false
    private var isOnProbation = false
    private var isRetiring = false
    private var heldUntil: Duration?

    init(_ policy: Policy, now: Duration, random: @escaping @Sendable () -> Double) {
        self.policy = policy
        self.random = random
        state = .idle
        since = now
    }

    /// When `alarm` is to come; nil where there is nothing to wait for.
    var nextDue: Duration? {
        guard !isUp || ending == nil else { return ending?.due }
        return due
    }

    /// When the next attempt is due, for a plugin that is not to be started before.
    var nextAttempt: Duration? {
        switch state {
        case .backingOff, .tripped, .absent: due
        default: nil
        }
    }

    func recentFailures(at now: Duration) -> Int {
        failures.filter { now - $0 < Self.failureWindow }.count
    }

    mutating func handle(_ event: Event, at now: Duration) -> [Effect] {
        // Nothing brings back one that is retired and gone.
        guard !isRetiring || isUp else { return [] }
        switch event {
        case .begin(let isThere): return begin(isThere, now)
        case .demanded: return demand(now)
        case .undemanded:
            isDemanded = false
            return []
        case .connected: return connected(now)
        case .missing(let reason, let isRefused): return missing(reason, isRefused, now)
        case .failed(let reason): return failed(reason, now)
        case .ended: return ended(now)
        case .busy:
            isBusy = true
            if state == .ready { due = nil }
            return []
        case .quiet:
            isBusy = false
            setIdleTime(now)
            return []
        case .held(let until):
            heldUntil = max(heldUntil ?? until, until)
            if state == .ready, !isBusy { setIdleTime(now) }
            return []
        case .appeared: return appeared(now)
        case .vanished:
            if state == .idle, !isUp { enter(.absent, "\(policy.socket) does not exist", now) }
            return []
        case .drained:
            guard case .shuttingDown? = ending else { return [] }
            ending = .closing(until: now + policy.stopTimeout)
            return [.closeInput]
        case .alarm: return alarm(now)
        case .closeBreaker: return closeBreaker(now)
        case .retire: return retire(now)
        }
    }

    // MARK: Up

    private mutating func begin(_ isThere: Bool, _ now: Duration) -> [Effect] {
        guard isThere else {
            enter(.absent, "\(policy.socket) does not exist", now)
            return []
        }
        return policy.startsAtOnce ? launch(now) : []
    }

    private mutating func demand(_ now: Duration) -> [Effect] {
        switch state {
        case .idle, .absent:
            isDemanded = true
            return isUp ? [] : launch(now)
        case .draining where !isRetiring, .backingOff, .starting:
            isDemanded = true
            return []
        case .tripped, .draining:
            return [.refuse(reason ?? "it is being stopped")]
        case .ready, .masked, .unmatched, .invalid:
            return []
        }
    }

    private mutating func launch(_ now: Duration) -> [Effect] {
        enter(.starting, nil, now)
        due = now + policy.startTimeout
        isUp = true
        return [.launch]
    }

    private mutating func connected(_ now: Duration) -> [Effect] {
        guard state == .starting else { return [] }
        enter(.ready, nil, now)
        isDemanded = false
        isBusy = false
        looks = 0
        setIdleTime(now)
        return []
    }

    private mutating func setIdleTime(_ now: Duration) {
        guard state == .ready, ending == nil else { return }
        due = policy.isPersistent ? nil : max(now + policy.idleTimeout, heldUntil ?? now)
    }

    private mutating func appeared(_ now: Duration) -> [Effect] {
        guard state == .absent, !isUp else { return [] }
        looks = 0
        if policy.isPersistent || isDemanded || due != nil {
            // The process that created the file starts listening a moment later.
            due = now + Self.firstLook / 2
        } else {
            enter(.idle, nil, now)
        }
        return []
    }

    // MARK: Down

    private mutating func missing(_ reason: String, _ isRefused: Bool, _ now: Duration) -> [Effect] {
        guard state == .starting else { return [] }
        enter(.absent, reason, now)
        isDemanded = false
        if isRefused {
            let factor = 1 << min(looks, 20)
            due = now + min(Self.firstLook * factor, Self.lastLook)
            looks += 1
        }
        return [.refuse(reason)] + endAtOnce(now)
    }

    private mutating func failed(_ reason: String, _ now: Duration) -> [Effect] {
        guard state == .starting || state == .ready else { return [] }
        let wasReady = state == .ready
        failures = failures.filter { now - $0 < Self.failureWindow } + [now]
        if wasReady, now - since >= Self.failureWindow { failuresInARow = 0 }
        let hasPassed = wasReady && now - since >= Self.probation
        let trips = failures.count >= Self.failureLimit || (isOnProbation && !hasPassed)
        isOnProbation = false
        if trips {
            let why =
                failures.count < Self.failureLimit
                ? "\(reason), again after a pause"
                : "\(reason); \(failures.count) failures in \(Self.failureWindow.components.seconds) s"
            enter(.tripped, why, now)
            due = now + Self.failureWindow
            isDemanded = false
            return [.refuse(why)] + endAtOnce(now)
        }
        enter(.backingOff, reason, now)
        let longest = min(Self.firstDelay * (1 << min(failuresInARow, 20)), Self.longestDelay)
        failuresInARow += 1
        due = now + longest * random()
        return endAtOnce(now)
    }

    private mutating func ended(_ now: Duration) -> [Effect] {
        guard isUp else { return [] }
        // No reason is known.
        var effects: [Effect] = []
        if state == .starting || state == .ready { effects = failed("ended", now) }
        effects.removeAll { $0 == .close || $0 == .terminate }
        isUp = false
        ending = nil
        isBusy = false
        if isRetiring { return effects + [.retired] }
        if state == .draining {
            enter(.idle, nil, now)
            failuresInARow = 0
            isOnProbation = false
            return effects + (isDemanded ? launch(now) : [])
        }
        if state == .absent, isDemanded { return effects + launch(now) }
        return effects + stateIsDue(now)
    }

    /// A plugin that has failed gets no plugin.shutdown: its connection is closed, its process gets SIGTERM.
    private mutating func endAtOnce(_ now: Duration) -> [Effect] {
        guard isUp, ending == nil else { return [] }
        guard !policy.usesSocket else {
            ending = .killing
            return [.close]
        }
        ending = .terminating(until: now + policy.stopTimeout)
        return [.close, .terminate]
    }

    private mutating func endGracefully(_ now: Duration) -> [Effect] {
        guard isUp, ending == nil else { return [] }
        if isBusy {
            ending = .shuttingDown(until: now + policy.stopTimeout)
            return [.requestShutdown]
        }
        ending = .closing(until: now + policy.stopTimeout)
        return [.closeInput]
    }

    private mutating func retire(_ now: Duration) -> [Effect] {
        guard !isRetiring else { return [] }
        isRetiring = true
        isDemanded = false
        due = nil
        guard isUp else { return [.retired] }
        let wasStarting = state == .starting
        enter(.draining, "it is being stopped", now)
        return wasStarting ? endAtOnce(now) : endGracefully(now)
    }

    private mutating func closeBreaker(_ now: Duration) -> [Effect] {
        failures = []
        failuresInARow = 0
        isOnProbation = false
        guard state == .tripped || state == .backingOff else { return [] }
        due = now
        return isUp ? [] : stateIsDue(now)
    }

    // MARK: Time

    private mutating func alarm(_ now: Duration) -> [Effect] {
        if let ending {
            guard let due = ending.due, due <= now else { return [] }
            return goOnEnding(ending, now)
        }
        return stateIsDue(now)
    }

    private mutating func goOnEnding(_ step: Ending, _ now: Duration) -> [Effect] {
        switch step {
        case .shuttingDown:
            ending = .closing(until: now + policy.stopTimeout)
            return [.closeInput]
        case .closing where policy.usesSocket:
            ending = .killing
            return [.close]
        case .closing:
            ending = .terminating(until: now + policy.stopTimeout)
            return [.terminate]
        case .terminating:
            ending = .killing
            return [.kill]
        case .killing:
            return []
        }
    }

    private mutating func stateIsDue(_ now: Duration) -> [Effect] {
        guard let due, due <= now else { return [] }
        self.due = nil
        switch state {
        case .starting:
            let seconds = policy.startTimeout / .seconds(1)
            return failed("no handshake within \(seconds) s", now)
        case .ready:
            guard !policy.isPersistent, !isBusy else { return [] }
            enter(.draining, "idle", now)
            return endGracefully(now)
        case .backingOff, .tripped:
            isOnProbation = state == .tripped
            if isOnProbation { failures = [] }
            if policy.isPersistent || isDemanded { return launch(now) }
            enter(.idle, reason.map { "after a failure: \($0)" }, now)
            return []
        case .absent:
            return launch(now)
        case .idle, .draining, .masked, .unmatched, .invalid:
            return []
        }
    }

    private mutating func enter(_ state: PluginState, _ reason: String?, _ now: Duration) {
        if self.state != state { since = now }
        self.state = state
        self.reason = reason
        due = nil
    }
}
