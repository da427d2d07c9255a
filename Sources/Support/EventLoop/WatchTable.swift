import CLinux
import SupervisorPorts

/// Which callback watches which entry of which watch descriptor.
///
/// inotify_add_watch(2) gives one directory one descriptor however often it is added, so several watches may share it.
struct WatchTable {
    typealias Callback = @Sendable (String?) -> Void

    private var callbacks: [WatchToken: Callback] = [:]
    /// In the order in which they came.
    private var tokens: [Int32: [WatchToken]] = [:]
    private var descriptors: [WatchToken: Int32] = [:]
    private var lastNumber = 0

    mutating func add(to descriptor: Int32, _ callback: @escaping Callback) -> WatchToken {
        lastNumber += 1
        let token = WatchToken(number: lastNumber)
        callbacks[token] = callback
        tokens[descriptor, default: []].append(token)
        descriptors[token] = descriptor
        return token
    }

    /// The descriptor that is no longer watched; nil when there is none, or the token is unknown.
    mutating func remove(_ token: WatchToken) -> Int32? {
        callbacks[token] = nil
        guard let descriptor = descriptors.removeValue(forKey: token) else { return nil }
        tokens[descriptor]?.removeAll { $0 == token }
        guard tokens[descriptor]?.isEmpty == true else { return nil }
        tokens[descriptor] = nil
        return descriptor
    }

    func callback(of token: WatchToken) -> Callback? { callbacks[token] }

    /// The watches to notify, and with what: the name of an entry, or nil.
    func concerned(by event: InotifyEvent) -> (watches: [WatchToken], name: String?) {
        if event.has(IN_Q_OVERFLOW) { return (callbacks.keys.sorted { $0.number < $1.number }, nil) }
        // IN_IGNORED always follows, and is reported.
        if event.has(IN_DELETE_SELF) || event.has(IN_UNMOUNT) { return ([], nil) }
        return (tokens[event.watch] ?? [], event.name)
    }

    /// IN_IGNORED: the kernel has dropped the descriptor.
    mutating func forgetEnded(by event: InotifyEvent) {
        guard event.has(IN_IGNORED) else { return }
        for token in tokens.removeValue(forKey: event.watch) ?? [] {
            callbacks[token] = nil
            descriptors[token] = nil
        }
    }
}
