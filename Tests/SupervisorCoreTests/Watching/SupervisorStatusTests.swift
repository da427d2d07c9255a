import JSON
import Testing

@testable import SupervisorCore

/// What the core tells, byte by byte where the wire fixes it.
@Suite(.timeLimit(.minutes(1)))
struct SupervisorStatusTests {
    private static let one = Sample.target((1, Sample.app("app:1", ["environment": ["MINE": "x"]])))

    @Test func `the device is told in the order of the reference`() async {
        await Bench.run(target: Self.one) { bench in
            #expect(
                await bench.supervisor.device().text
                    == #"{"api_port":48484,"ip_address":"192.168.1.2 10.0.0.2","commit":"c1","status":"Idle","#
                    + #""download_progress":null,"os_version":"Debian GNU/Linux 12 (bookworm)","#
                    + #""supervisor_version":"6.6.11","update_pending":false,"update_downloaded":false,"#
                    + #""update_failed":false,"update_error":null,"locks":[],"#
                    + #""connectivity":{"enabled":true,"connected":null},"update_warning":null,"agent_version":"1.2.3"}"#
            )
        }
    }

    @Test func `a device without an application has no commit`() async {
        await Bench.run { bench in
            await bench.start()
            #expect(await bench.device("commit") == JSONValue.null)
        }
    }

    @Test func `the commit is that of what runs, not of what is to run`() async {
        await Bench.run(target: Self.one) { bench in
            bench.lock(1)
            await bench.change(target: Sample.target((1, Sample.app("app:2", commit: "c2"))))
            #expect(await bench.device("commit") == "c1")
        }
    }

    @Test(
        arguments: [
            (FakeEngine.Operation.pull, "Downloading"), (.stop, "Stopping"), (.create, "Installing"),
            (.start, "Starting"),
        ]
    )
    func `the status says what the update does`(operation: FakeEngine.Operation, status: String) async {
        await Bench.run(target: Self.one) { bench in
            bench.engine.hold(operation)
            await bench.change(target: Sample.target((1, Sample.app("app:2"))))
            #expect(await bench.device("status") == .string(status))
            bench.engine.release(operation)
            await bench.settle()
            #expect(await bench.device("status") == "Idle")
        }
    }

    // MARK: An application

    @Test func `an application is told with its container and its variables, without the key`() async {
        await Bench.run(target: Self.one) { bench in
            let answer = try await bench.supervisor.application(AppID(1))
            #expect(answer.objectValue?.names == ["appId", "commit", "imageId", "containerId", "env"])
            #expect(answer["appId"] == 1)
            #expect(answer["commit"] == "c1")
            #expect(answer["imageId"] == "app:1")
            #expect(answer["containerId"] == .string(bench.container(1).id))
            let told = try #require(answer["env"]?.objectValue)
            var expected = bench.environment(1)
            expected["RESIN_SUPERVISOR_API_KEY"] = nil
            expected["BALENA_SUPERVISOR_API_KEY"] = nil
            #expect(Dictionary(told.map { ($0.name, $0.value.stringValue) }) { $1 } == expected)
            #expect(await !answer.text.contains(bench.supervisor.currentKey()))
        }
    }

    @Test func `the address in the variables is the one that the container was given`() async {
        await Bench.run(target: Sample.target((1, Sample.app("app:1", ["network_mode": "bridge"])))) { bench in
            let answer = try await bench.supervisor.application(AppID(1))
            #expect(answer["env"]?["RESIN_SUPERVISOR_HOST"] == "172.17.0.1")
        }
    }

    @Test func `an application that is still to come is told without a container`() async {
        await Bench.run { bench in
            bench.engine.hold(.pull)
            await bench.start(target: Self.one)
            let answer = try await bench.supervisor.application(AppID(1))
            #expect(answer["containerId"] == JSONValue.null)
            #expect(answer["commit"] == JSONValue.null)
            #expect(answer["imageId"] == "app:1")
            #expect(answer["env"]?["MINE"] == "x")
        }
    }

    @Test func `an unknown application is not found`() async {
        await Bench.run(target: Self.one) { bench in
            let error = try await bench.refusal { try await $0.application(AppID(2)) }
            #expect(error.code == .notFound)
        }
    }

    // MARK: For superctl

    @Test func `the status names applications, containers and what is to come`() async {
        await Bench.run(target: Self.one) { bench in
            bench.lock(1)
            await bench.change(
                target: Sample.target(
                    (1, Sample.app("app:2", commit: "c2")),
                    (2, Sample.app("b:1", ["running": false]))
                )
            )
            let status = await bench.supervisor.status()
            #expect(
                status.objectValue?.names == [
                    "supervisor", "device", "engine", "health", "update", "apps", "locks", "power", "connectivity",
                    "uplink",
                ]
            )
            let apps = try #require(status["apps"]?.arrayValue)
            #expect(apps.map { $0["appId"] } == [1, 2])
            #expect(apps[0]["commit"] == "c1")
            #expect(apps[0]["targetCommit"] == "c2")
            #expect(apps.map { $0["services"]?.arrayValue?.first?["state"] } == ["running", "created"])
            #expect(status["update"]?["pending"] == true)
            #expect(status["update"]?["nextAttemptSec"]?.integerValue != nil)
            #expect(status["device"]?["uuid"] == .string(Bench.identity.uuid))
            #expect(await !status.text.contains(bench.supervisor.currentKey()))
        }
    }

    @Test func `a service that was stopped through the API is called stopped`() async {
        await Bench.run(target: Self.one) { bench in
            _ = try await bench.answer { try await $0.stop(AppID(1), force: false) }
            let apps = await bench.supervisor.status()["apps"]?.arrayValue
            #expect(apps?.first?["services"]?.arrayValue?.first?["state"] == "stopped")
        }
    }
}
