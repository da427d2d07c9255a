import HostOperations
import JSON
import Testing

@testable import SupervisorCore

/// Proxy and hostname through the core, with a host that fails as it is told.
@Suite(.timeLimit(.minutes(1)))
struct SupervisorHostConfigTests {
    private static let secret = "s3cr3t-word"
    private static let patch: JSONObject = [
        "network": [
            "proxy": ["type": "socks5", "ip": "10.0.0.9", "port": "1080", "password": .string(secret)],
            "hostname": "new",
        ]
    ]
    private static let former: JSONObject = ["type": "socks4", "ip": "10.0.0.1", "port": 1080]

    /// A core without applications, whose host has a proxy.
    private static func run(_ body: @escaping @Sendable (Bench) async throws -> Void) async {
        await Bench.run { bench in
            await bench.start()
            bench.host.proxy = former
            bench.host.forgetCalls()
            try await body(bench)
        }
    }

    private static func set(_ bench: Bench, _ patch: JSONObject = patch) async throws {
        try await bench.answer { try await $0.setHostConfig(patch, requestID: "r7") }
    }

    private static func refusal(_ bench: Bench, _ patch: JSONObject = patch) async throws -> SupervisorError {
        try await bench.refusal { try await $0.setHostConfig(patch, requestID: nil) }
    }

    @Test func `everything is read, then the proxy is set, then the hostname`() async {
        await Self.run { bench in
            try await Self.set(bench)
            #expect(bench.host.calls == ["proxy.get", "hostname.get", "proxy.set", "hostname.set"])
            #expect(Set(bench.host.requestIDs) == ["r7"])
            bench.host.forgetCalls()
            try await Self.set(bench)
            #expect(bench.host.calls == ["proxy.get", "hostname.get"], "what does not change restarts nothing")
        }
    }

    @Test func `at start host and proxy are left alone`() async {
        await Bench.run { bench in
            await bench.start()
            await bench.advance(.seconds(120))
            #expect(bench.host.calls == [])
        }
    }

    @Test func `a proxy that fails keeps the hostname as it is`() async {
        await Self.run { bench in
            bench.host.fail(ProxySet.name, HostOperationError(.failed, "redsocks does not start"))
            let error = try await Self.refusal(bench)
            #expect(error.code == .unavailable)
            #expect(error.message == "redsocks does not start")
            #expect(bench.host.hostname == "former")
            #expect(!bench.host.calls.contains("hostname.set"))
        }
    }

    @Test func `a hostname that fails puts the proxy back`() async {
        await Self.run { bench in
            bench.host.fail(HostnameSet.name, HostOperationError(.failed, "/etc is read-only"))
            let error = try await Self.refusal(bench)
            #expect(error.code == .unavailable)
            #expect(error.message == "/etc is read-only, and the proxy is as it was")
            #expect(bench.host.proxy == Self.former)
            bench.host.proxy = [:]
            bench.host.fail(HostnameSet.name, HostOperationError(.failed, "/etc is read-only"))
            _ = try await Self.refusal(bench)
            #expect(bench.host.proxy == [:])
            #expect(bench.host.calls.last == "proxy.clear")
        }
    }

    @Test func `a proxy that cannot be put back is told`() async {
        await Self.run { bench in
            bench.host.fail(HostnameSet.name, HostOperationError(.failed, "/etc is read-only"))
            bench.host.onCall = { [host = bench.host] name in
                if name == HostnameSet.name { host.fail(ProxySet.name, HostOperationError(.failed, "no space")) }
            }
            let error = try await Self.refusal(bench)
            #expect(error.message == "/etc is read-only, and the former proxy could not be put back: no space")
        }
    }

    @Test func `an unchanged proxy is not put back after a hostname that fails`() async {
        await Self.run { bench in
            bench.host.fail(HostnameSet.name, HostOperationError(.failed, "/etc is read-only"))
            let error = try await Self.refusal(bench, ["network": ["hostname": "new", "proxy": ["port": 1080]]])
            #expect(error.message == "/etc is read-only")
            #expect(bench.host.calls == ["proxy.get", "hostname.get", "hostname.set"])
        }
    }

    @Test(arguments: [
        (HostOperationError(.failed, "x"), SupervisorError.Code.unavailable),
        (HostOperationError(.timeout, "x"), .unavailable),
        (HostOperationError(.permissionDenied, "x"), .unavailable),
        (HostOperationError(.unavailable, "x"), .unavailable),
        (HostOperationError(.busy, "x", retryAfter: 3), .busy),
        (HostOperationError(.invalidArgument, "x"), .invalidArgument),
        (HostOperationError(.noProvider, "x"), .notSupported),
    ])
    func `what the host cannot do is unavailable`(error: HostOperationError, code: SupervisorError.Code) async {
        await Self.run { bench in
            bench.host.fail(ProxyGet.name, error)
            let read = try await bench.refusal { try await $0.hostConfig(requestID: nil) }
            #expect(read.code == code)
            #expect(read.retryAfter == error.retryAfter)
            bench.host.fail(ProxySet.name, error)
            #expect(try await Self.refusal(bench).code == code)
        }
    }

    @Test func `settings that cannot be read can be cleared, and not merged`() async {
        await Self.run { bench in
            let damaged = HostOperationError(.failed, "redsocks.conf: line 3")
            bench.host.fail(ProxyGet.name, damaged, damaged)
            #expect(try await Self.refusal(bench).code == .unavailable)
            try await Self.set(bench, ["network": ["proxy": nil]])
            #expect(bench.host.calls == ["proxy.get", "proxy.get", "proxy.clear"])
        }
    }

    // MARK: Two at once

    @Test func `two at once are read and written one after the other`() async {
        await Self.run { bench in
            bench.host.hold(ProxySet.name)
            let first = bench.call { try await $0.setHostConfig(["network": ["proxy": ["port": 1]]], requestID: nil) }
            await bench.settle()
            let second = bench.call {
                try await $0.setHostConfig(["network": ["proxy": ["ip": "10.0.0.2"]]], requestID: nil)
            }
            await bench.settle()
            #expect(bench.host.calls == ["proxy.get", "proxy.set"])
            bench.host.release(ProxySet.name)
            await bench.settle()
            #expect(first.result != nil && first.error == nil)
            #expect(second.result != nil && second.error == nil)
            #expect(bench.host.calls == ["proxy.get", "proxy.set", "proxy.get", "proxy.set"])
            #expect(bench.host.proxy == ["type": "socks4", "ip": "10.0.0.2", "port": 1], "neither is lost")
        }
    }

    @Test func `a failure leaves the turn to the next`() async {
        await Self.run { bench in
            bench.host.hold(ProxySet.name)
            bench.host.fail(ProxySet.name, HostOperationError(.failed, "x"))
            let calls = (2...4).map { last in
                bench.call {
                    let patch: JSONObject = ["network": ["proxy": ["ip": .string("10.0.0.\(last)")]]]
                    try await $0.setHostConfig(patch, requestID: nil)
                }
            }
            await bench.settle()
            bench.host.release(ProxySet.name)
            await bench.settle()
            #expect(calls.map { $0.error == nil } == [false, true, true])
            #expect(bench.host.proxy["ip"] == "10.0.0.4")
        }
    }

    @Test func `a crowd is refused`() async {
        await Self.run { bench in
            bench.host.hold(ProxySet.name)
            let calls = (0...WaitingLine.maximumWaiters + 1).map { _ in
                bench.call { try await $0.setHostConfig(Self.patch, requestID: nil) }
            }
            await bench.settle()
            #expect(calls.last?.error?.code == .busy)
            bench.host.release(ProxySet.name)
            await bench.settle()
            #expect(calls.dropLast().allSatisfy { $0.result != nil && $0.error == nil })
        }
    }

    @Test func `a caller that goes away takes nothing back`() async {
        await Self.run { bench in
            bench.host.hold(ProxySet.name)
            let call = bench.call { try await $0.setHostConfig(Self.patch, requestID: nil) }
            await bench.settle()
            call.task?.cancel()
            bench.host.release(ProxySet.name)
            await bench.settle()
            #expect(bench.host.hostname == "new")
        }
    }

    // MARK: Boards that lack something

    @Test func `a board without a proxy sets its hostname and shows no proxy`() async {
        await Self.run { bench in
            bench.host.provided.subtract([ProxyGet.name, ProxySet.name, ProxyClear.name])
            try await Self.set(bench, ["network": ["proxy": nil, "hostname": "new"]])
            #expect(bench.host.calls == ["hostname.get", "hostname.set"])
            let body = try await bench.answer { try await $0.hostConfig(requestID: nil) }
            #expect(body.text == #"{"network":{"proxy":null,"hostname":"new"}}"#)
            bench.host.forgetCalls()
            #expect(try await Self.refusal(bench).code == .notSupported)
            #expect(bench.host.calls == [])
        }
    }

    @Test func `a board that cannot set a hostname sets its proxy`() async {
        await Self.run { bench in
            bench.host.provided.subtract([HostnameGet.name, HostnameSet.name])
            try await Self.set(bench, ["network": ["proxy": ["port": 9]]])
            let body = try await bench.answer { try await $0.hostConfig(requestID: nil) }
            #expect(body.text == #"{"network":{"proxy":{"ip":"10.0.0.1","port":"9","type":"socks4"},"hostname":null}}"#)
            bench.host.forgetCalls()
            #expect(try await Self.refusal(bench).code == .notSupported)
            #expect(bench.host.calls == [])
        }
    }

    @Test func `a board with neither has no such endpoint`() async {
        await Self.run { bench in
            bench.host.provided = []
            #expect(try await Self.refusal(bench, [:]).code == .notSupported)
            let read = try await bench.refusal { try await $0.hostConfig(requestID: nil) }
            #expect(read.code == .notSupported)
        }
    }

    @Test func `a machine that cannot have a proxy shows none`() async {
        await Self.run { bench in
            bench.host.fail(ProxyGet.name, HostOperationError(.notSupported, "there is no redsocks"))
            let body = try await bench.answer { try await $0.hostConfig(requestID: nil) }
            #expect(body["network"]?["proxy"] == .null)
        }
    }
}
