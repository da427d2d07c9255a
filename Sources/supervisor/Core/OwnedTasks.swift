/// The tasks that belong to the core, whether it is stopping, and those who wait until no task is left.
struct OwnedTasks {
    /// Set once, when the core begins to drain; nothing new is begun from then on.
    private(set) var isStopping = false
    private var tasks: [Int: Task<Void, Never>] = [:]
    private var nextNumber = 0
    private var idleWaiters: [CheckedContinuation<Void, Never>] = []

    /// Tasks that have not ended.
    var count: Int { tasks.count }

    mutating func stop() { isStopping = true }

    /// Keeps the task that `make` returns until `ended` is called with its number.
    mutating func add(_ make: (_ number: Int) -> Task<Void, Never>) {
        let number = nextNumber
        nextNumber += 1
        tasks[number] = make(number)
    }

    /// Resumes those who wait when it was the last one.
    mutating func ended(_ number: Int) {
        tasks[number] = nil
        if tasks.isEmpty { giveUpWaiting() }
    }

    /// Resumes `waiter` when no task is left, which may be at once.
    mutating func waitUntilIdle(_ waiter: CheckedContinuation<Void, Never>) {
        if tasks.isEmpty { waiter.resume() } else { idleWaiters.append(waiter) }
    }

    /// Resumes all who wait, whatever is under way.
    mutating func giveUpWaiting() {
        for waiter in idleWaiters { waiter.resume() }
        idleWaiters = []
    }
}
