import Testing

@testable import SupervisorCore

struct OwnedTasksTests {
    @Test func `those who wait are resumed when the last task has ended`() async {
        var tasks = OwnedTasks()
        var numbers: [Int] = []
        for _ in 0..<2 {
            tasks.add { number in
                numbers.append(number)
                return Task {}
            }
        }
        #expect(tasks.count == 2)
        await withCheckedContinuation { waiter in
            tasks.waitUntilIdle(waiter)
            tasks.ended(numbers[0])
            tasks.ended(numbers[1])
        }
        #expect(tasks.count == 0)
        await withCheckedContinuation { tasks.waitUntilIdle($0) }
    }

    @Test func `those who wait are resumed when they give up`() async {
        var tasks = OwnedTasks()
        tasks.add { _ in Task {} }
        await withCheckedContinuation { waiter in
            tasks.waitUntilIdle(waiter)
            tasks.giveUpWaiting()
        }
        #expect(tasks.count == 1)
        tasks.ended(0)
    }
}
