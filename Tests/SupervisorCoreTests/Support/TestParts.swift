import Glibc
import SupervisorCore
import SupervisorPorts

/// Runs blocking work at once, on the test's thread, letting others go before and after as a real worker does; while it
/// hangs, as on a disk that does not answer, none.
///
/// `@unchecked Sendable`: only used on the test's one thread.
final class InlineWorker: BlockingWorker, @unchecked Sendable {
    private var hangs = false
    /// Called before and after each job: whatever relies on something must look again after it.
    var onAwait: () -> Void = {}
    /// Why it takes no job; nil while it does.
    var refusal: WorkerError?
    private var waiters: [CheckedContinuation<Void, Never>] = []

    func hang() { hangs = true }

    func goOn() {
        hangs = false
        for waiter in waiters { waiter.resume() }
        waiters = []
    }

    func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        await Task.yield()
        onAwait()
        if let refusal { throw refusal }
        if hangs { await withCheckedContinuation { waiters.append($0) } }
        let result = try body()
        await Task.yield()
        onAwait()
        return result
    }
}

/// A watcher that sees what a test tells it.
///
/// `@unchecked Sendable`: only used on the test's one thread.
final class FakeWatcher: DirectoryWatcher, @unchecked Sendable {
    private var watches: [Int: (directory: String, onChange: @Sendable (String?) -> Void)] = [:]
    private var nextNumber = 0
    /// Called before a watch is there.
    var onWatch: (String) -> Void = { _ in }

    func watch(_ directory: String, onChange: @escaping @Sendable (String?) -> Void) throws(WatchError) -> WatchToken {
        onWatch(directory)
        guard access(directory, R_OK) == 0 else {
            throw WatchError(directory: directory, code: errno, description: String(cString: strerror(errno)))
        }
        nextNumber += 1
        watches[nextNumber] = (directory, onChange)
        return WatchToken(number: nextNumber)
    }

    func unwatch(_ token: WatchToken) { watches[token.number] = nil }

    var directories: [String] { watches.values.map(\.directory).sorted() }

    /// Tells that something happened to the entry at `path`.
    func changed(_ path: String) {
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        let directory = String(path[..<slash])
        let name = String(path[path.index(after: slash)...])
        for watch in watches.sorted(by: { $0.key < $1.key }) where watch.value.directory == directory {
            watch.value.onChange(name)
        }
    }
}
