import JSON
import Testing

@testable import SupervisorCore

struct EngineLinkTests {
    private static let docker = EngineInformation(name: "docker", version: "20.10.24", apiVersion: "1.41")

    @Test func `an engine that goes away is news once for each reason, and keeps its time`() {
        var link = EngineLink(at: .zero)
        link.connected(Self.docker, at: .seconds(1))
        #expect(link.isConnected)
        #expect(link.disconnected("reset", at: .seconds(2)) == true)
        #expect(link.disconnected("reset", at: .seconds(3)) == false)
        #expect(link.disconnected("refused", at: .seconds(4)) == true)
        #expect(!link.isConnected)
        #expect(link.absence(at: .seconds(32)) == nil)
        #expect(link.absence(at: .seconds(33)) == "The container engine is away for 31 s: refused")
        link.connected(Self.docker, at: .seconds(40))
        #expect(link.absence(at: .seconds(400)) == nil)
    }

    @Test func `attempts that do not last are made at longer and longer intervals`() {
        var link = EngineLink(at: .zero)
        let waits = (0..<6).map { _ in link.attemptEnded(.zero, at: .seconds(1)) }
        #expect(waits == [500, 1000, 2000, 4000, 5000, 5000].map { .milliseconds($0) })
        #expect(link.attemptEnded(.zero, at: .seconds(11)) == .milliseconds(250))
    }

    @Test func `a call is stuck when it takes longer than its limit`() {
        var link = EngineLink(at: .zero)
        let short = link.begin("stopping", limit: .seconds(10), at: .zero)
        let long = link.begin("creating", limit: .seconds(100), at: .zero)
        #expect(link.stuckStep(at: .seconds(10)) == nil)
        #expect(link.stuckStep(at: .seconds(11)) == "Stuck for 11 s in stopping")
        link.end(short)
        #expect(link.stuckStep(at: .seconds(11)) == nil)
        link.end(long)
        #expect(link.stuckStep(at: .seconds(111)) == nil)
    }

    @Test func `events start one check in a second`() {
        var link = EngineLink(at: .zero)
        link.triggered(at: .seconds(10))
        #expect(link.waitForEventTrigger(at: .seconds(10)) == .seconds(1))
        #expect(link.waitForEventTrigger(at: .seconds(20)) == .milliseconds(100))
        link.triggerSoon(by: Task {})
        #expect(link.waitForEventTrigger(at: .seconds(20)) == nil)
        link.eventTriggerIsDue(at: .seconds(21))
        #expect(link.waitForEventTrigger(at: .milliseconds(21_500)) == .milliseconds(500))
    }

    @Test func `its JSON has the same members, there or away`() {
        var link = EngineLink(at: .zero)
        let away = link.json(socket: "/s", at: .seconds(5))
        link.connected(Self.docker, at: .seconds(5))
        let there = link.json(socket: "/s", at: .seconds(8))
        #expect(
            away.text
                == #"{"state":"away","name":null,"version":null,"apiVersion":null,"socket":"/s","error":"not asked yet","sinceSec":5}"#
        )
        #expect(
            there.text
                == #"{"state":"connected","name":"docker","version":"20.10.24","apiVersion":"1.41","socket":"/s","error":null,"sinceSec":3}"#
        )
    }
}
