import Testing

@testable import SupervisorCore

struct ServiceMemoryTests {
    private static let key = ServiceKey(app: AppID(1), service: "main")

    @Test func `of containers that fail to start the first one is remembered, until one has started`() {
        var memory = ServiceMemory(boot: BootMemory(boot: "b"))
        memory.failedToStart(Self.key, container: "first")
        memory.failedToStart(Self.key, container: "second")
        #expect(memory.hasFailedToStart(Self.key, container: "first"))
        #expect(!memory.hasFailedToStart(Self.key, container: "second"))
        memory.started(Self.key, container: "first", endsByItself: false)
        #expect(!memory.hasFailedToStart(Self.key, container: "first"))
        #expect(memory.servicesSeenRunning == [Self.key])
    }

    @Test func `a service that was stopped by request stays so until it has another container or is started`() {
        var memory = ServiceMemory(boot: BootMemory(boot: "b"))
        memory.stoppedByRequest(Self.key)
        #expect(memory.stoppedByRequest == [Self.key])
        memory.containerChanged(of: Self.key)
        #expect(memory.stoppedByRequest == [])
        memory.stoppedByRequest(Self.key)
        memory.started(Self.key, container: "first", endsByItself: false)
        #expect(memory.stoppedByRequest == [])
    }
}
