import Glibc
import SupervisorPluginAPI
import Testing

@testable import DBus

@Suite(.timeLimit(.minutes(1)))
struct SystemBusTests {
    let daemon: BusDaemon
    let service: Service
    let bus: SystemBus

    init() throws {
        daemon = try BusDaemon()
        service = try Service(address: daemon.address)
        bus = SystemBus(address: daemon.address)
    }

    func call(
        _ member: String,
        _ arguments: [BusValue] = [],
        to destination: String = "test.Service",
        timeout: Duration = .seconds(5)
    ) async throws(BusError) -> [BusValue] {
        try await bus.call(
            destination,
            path: "/test",
            interface: "test.Service",
            member: member,
            arguments: arguments,
            timeout: timeout
        )
    }

    @Test(
        arguments: [
            .byte(255), .bool(true), .bool(false), .int16(.min), .uint16(.max), .int32(.min), .uint32(.max),
            .int64(.min),
            .uint64(.max), .double(-0.1), .string(""), .string("ä\u{2028}🜁"), .objectPath("/a/b_1"),
            .signature("a{sv}"),
            .array(of: "s", []), .strings(["a", "b"]),
            .array(of: "ai", [.array(of: "i", []), .array(of: "i", [.int32(1)])]),
            .structure([.string("a"), .structure([.bool(true), .uint64(3)])]), .variant(.variant(.string("x"))),
            .variant(.array(of: "(so)", [.structure([.string("a"), .objectPath("/")])])),
            .array(
                of: "{sv}",
                [.entry(.string("k"), .variant(.int64(-1))), .entry(.string("l"), .variant(.strings([])))]
            ),
        ] as [BusValue]
    )
    func valuesComeBackAsTheyWent(value: BusValue) async throws {
        #expect(try await call("Echo", [value, .string("end")]) == [value, .string("end")])
    }

    @Test(
        arguments: [
            .string("a\0b"), .objectPath("a"), .objectPath("/a/"), .signature("{"), .array(of: "ss", []),
            .array(of: "i", [.string("1")]), .structure([]), .variant(.array(of: "", [])), .array(of: "{vs}", []),
            .variant(.entry(.string("a"), .string("b"))),
        ] as [BusValue]
    )
    func valuesThatLibdbusWouldDieOfAreRefused(value: BusValue) async throws {
        let error = await #expect(throws: BusError.self) { try await call("Echo", [value]) }
        #expect(error?.name == BusError.invalidArgs)
        #expect(error?.mayHaveBeenDone == false)
        // The connection is as good as before.
        #expect(try await call("Echo", [.bool(true)]) == [.bool(true)])
    }

    @Test(arguments: [
        "org.freedesktop.DBus.Error.AccessDenied", "org.freedesktop.login1.OperationInProgress",
        "System.Error.EROFS",
    ])
    func anErrorKeepsItsNameAndText(name: String) async throws {
        let error = await #expect(throws: BusError.self) { try await call("Fail", [.string(name), .string("No, ä")]) }
        #expect(error == BusError(name: name, message: "No, ä"))
    }

    @Test func aNameWithoutOwnerIsNotAsked() async throws {
        let error = await #expect(throws: BusError.self) { try await call("Echo", to: "test.Nobody") }
        #expect(error?.name == BusError.serviceUnknown)
        #expect(error?.mayHaveBeenDone == false)
    }

    @Test func aPolicyOfTheBusRefuses() async throws {
        let error = await #expect(throws: BusError.self) {
            try await bus.call(
                "org.freedesktop.DBus",
                path: "/",
                interface: "org.freedesktop.DBus",
                member: "ReloadConfig",
                timeout: .seconds(5)
            )
        }
        #expect(error?.name == BusError.accessDenied)
        #expect(error?.mayHaveBeenDone == false)
    }

    @Test func silenceEndsAtTheTimeOut() async throws {
        let start = ContinuousClock.now
        let error = await #expect(throws: BusError.self) { try await call("Hush", timeout: .milliseconds(200)) }
        #expect((.milliseconds(200)..<(.seconds(20))).contains(ContinuousClock.now - start))
        #expect(error?.name == BusError.noReply)
        #expect(error?.message == "test.Service did not answer within 200 ms")
        #expect(error?.mayHaveBeenDone == true)
    }

    @Test func cancellationEndsTheWait() async throws {
        let task = Task { try await call("Hush", timeout: .seconds(50)) }
        try await service.waitForSilence()
        // Another call is answered while that one waits.
        #expect(try await call("Echo", [.byte(1)]) == [.byte(1)])
        task.cancel()
        let start = ContinuousClock.now
        let error = await #expect(throws: BusError.self) { try await task.value }
        #expect(ContinuousClock.now - start < .seconds(2))
        #expect(error?.name == BusError.cancelled)
    }

    @Test func manyCallsAtOnceAreEachAnswered() async throws {
        let silent = Task { try await call("Hush", timeout: .seconds(50)) }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<16 {
                group.addTask { try await call("Echo", [.int32(Int32(number))]) == [.int32(Int32(number))] }
            }
            for try await isRight in group { #expect(isRight) }
        }
        silent.cancel()
        await #expect(throws: BusError.self) { try await silent.value }
    }

    @Test func aServiceThatLeavesMayHaveDoneIt() async throws {
        let error = await #expect(throws: BusError.self) { try await call("Leave") }
        #expect(error?.name == BusError.noReply)
        #expect(error?.mayHaveBeenDone == true)
    }

    @Test func aBusThatIsAwayIsToldAndTheNextCallFindsItAgain() async throws {
        #expect(try await call("Echo", [.byte(1)]) == [.byte(1)])
        daemon.kill()
        for _ in 0..<2 {
            let error = await #expect(throws: BusError.self) { try await call("Echo", [.byte(2)]) }
            #expect([BusError.noServer, BusError.fileNotFound].contains(error?.name))
            #expect(error?.mayHaveBeenDone == false)
            #expect(error?.pluginError(doing: "ask").reason == .unavailable)
        }
        try daemon.start()
        let second = try Service(address: daemon.address, name: "test.Second")
        #expect(try await call("Echo", [.byte(3)], to: "test.Second") == [.byte(3)])
        withExtendedLifetime(second) {}
    }

    @Test func aBusThatDiesWithARequestInItMayHaveHandedItOver() async throws {
        let task = Task { try await call("Hush", timeout: .seconds(50)) }
        try await service.waitForSilence()
        daemon.kill()
        let error = await #expect(throws: BusError.self) { try await task.value }
        #expect(error?.name == BusError.disconnected)
        #expect(error?.mayHaveBeenDone == true)
    }

    @Test func aBusThatHangsIsNotWaitedForLongerThanAsked() async throws {
        daemon.send(SIGSTOP)
        let start = ContinuousClock.now
        let error = await #expect(throws: BusError.self) { try await call("Echo", timeout: .milliseconds(300)) }
        #expect(ContinuousClock.now - start < .seconds(3))
        #expect(error?.name == BusError.noReply)
        #expect(error?.mayHaveBeenDone == false)
        daemon.send(SIGCONT)
        #expect(try await call("Echo", [.byte(1)]) == [.byte(1)])
    }

    @Test(arguments: ["Signal", "Late"])
    func aSignalIsFoundBeforeAndAfterTheAnswer(member: String) async throws {
        let (result, signal) = try await bus.waitForSignal(
            "Done",
            interface: "test.Service",
            path: "/test",
            from: "test.Service",
            timeout: .seconds(5)
        ) { () async throws(BusError) in
            _ = try await call("Signal", [.string("other")])
            _ = try await call(member, [.string("wanted")])
            return "wanted"
        } matching: { wanted, signal in
            signal.arguments.first?.text == wanted
        }
        #expect(result == "wanted")
        #expect(signal.arguments == [.string("wanted")])
        #expect(signal.member == "Done")
    }

    @Test func aSignalThatDoesNotComeEndsAtTheTimeOut() async throws {
        let error = await #expect(throws: BusError.self) {
            try await bus.waitForSignal(
                "Done",
                interface: "test.Service",
                path: "/test",
                from: "test.Service",
                timeout: .milliseconds(200)
            ) { () async throws(BusError) in
            } matching: { _, _ in
                true
            }
        }
        #expect(error?.name == BusError.noReply)
    }
}
