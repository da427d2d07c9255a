import Testing

@testable import SupervisorCore

@Suite(.timeLimit(.minutes(1)))
struct AppGateTests {
    private static let app = AppID(1)

    /// A gate with callers that wait, on one thread.
    private actor Door {
        var gate = AppGate()
        var outcomes: [String] = []
        var numbers: [String: Int] = [:]

        func tryEnter(_ app: AppID = app) -> Bool { gate.tryEnter(app) }
        func leave(_ app: AppID = app) { gate.leave(app) }
        func giveUp(_ name: String) { gate.giveUp(numbers[name] ?? -1, for: app) }
        func isBusy(_ app: AppID = app) -> Bool { gate.isBusy(app) }

        /// Returns when the caller is in the queue.
        func queue(_ name: String) async -> Task<Void, Never> {
            await withCheckedContinuation { queued in
                let task = Task {
                    let isIn = await withCheckedContinuation { continuation in
                        numbers[name] = gate.wait(for: app, continuation)
                        queued.resume()
                    }
                    outcomes.append("\(name) \(isIn ? "enters" : "gives up")")
                }
                tasks.append(task)
            }
            return tasks[tasks.count - 1]
        }

        private var tasks: [Task<Void, Never>] = []
    }

    @Test func `a free gate lets one in`() async {
        let door = Door()
        #expect(await door.tryEnter())
        #expect(await !door.tryEnter())
        #expect(await door.isBusy())
        await door.leave()
        #expect(await !door.isBusy())
        #expect(await door.tryEnter())
    }

    @Test func `applications have gates of their own`() async {
        let door = Door()
        #expect(await door.tryEnter(AppID(1)))
        #expect(await door.tryEnter(AppID(2)))
        await door.leave(AppID(2))
        #expect(await door.isBusy(AppID(1)))
    }

    @Test func `those who wait enter in the order in which they came`() async {
        let door = Door()
        _ = await door.tryEnter()
        let first = await door.queue("first")
        let second = await door.queue("second")
        await door.leave()
        await first.value
        #expect(await door.outcomes == ["first enters"])
        #expect(await door.isBusy(), "it was handed over, nobody slips in between")
        await door.leave()
        await second.value
        #expect(await door.outcomes == ["first enters", "second enters"])
        await door.leave()
        #expect(await !door.isBusy())
    }

    @Test func `who gives up is told so once and is passed over`() async {
        let door = Door()
        _ = await door.tryEnter()
        let first = await door.queue("first")
        let second = await door.queue("second")
        await door.giveUp("first")
        await door.giveUp("first")
        await first.value
        await door.leave()
        await second.value
        #expect(await door.outcomes == ["first gives up", "second enters"])
        // Too late to give up.
        await door.giveUp("second")
        #expect(await door.isBusy())
    }

    @Test func `a queue has an end`() async {
        let door = Door()
        _ = await door.tryEnter()
        var waiting: [Task<Void, Never>] = []
        for number in 0..<AppGate.maximumWaiters { waiting.append(await door.queue("\(number)")) }
        await door.queue("late").value
        #expect(await door.outcomes == ["late gives up"])
        for task in waiting {
            await door.leave()
            await task.value
        }
        #expect(await door.outcomes.count == AppGate.maximumWaiters + 1)
    }
}
