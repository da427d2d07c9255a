import Glibc
import SupervisorPluginAPI
import Testing

@testable import supervisor_plugin_led

@Suite(.timeLimit(.minutes(1)))
struct BlinkerTests {
    private let led = TestLED()
    private let clock = LEDClock()

    private func blinker(_ place: LEDPlace? = nil) -> Blinker<LEDClock> {
        Blinker(place: place ?? .fixed(led.path), formerFile: led.formerFile, clock: clock)
    }

    private func waitUntil(_ condition: () -> Bool) async throws {
        for _ in 0..<5000 {
            if condition() { return }
            try await Task.sleep(for: .milliseconds(1))
        }
        Issue.record("not within five seconds")
    }

    @Test func `a LED blinks at its full brightness, and is as it was afterwards`() async throws {
        let blinker = blinker()
        #expect(try await blinker.blink(for: .milliseconds(1000)))
        var seen = [led["brightness"]]
        #expect(led["trigger"] == "none")
        for _ in 0..<4 {
            await clock.advance(by: .milliseconds(200))
            await clock.settle()
            seen.append(led["brightness"])
        }
        #expect(seen == ["255", "0", "255", "0", "255"])
        await clock.advance(by: .milliseconds(200))
        try await waitUntil { led["trigger"] == "timer" }
        #expect(led["brightness"] == "3")
        try await waitUntil { led.former == nil }
    }

    @Test func `a second blink makes it end later, and never earlier`() async throws {
        let blinker = blinker()
        #expect(try await blinker.blink(for: .milliseconds(600)))
        await clock.advance(by: .milliseconds(400))
        #expect(try await blinker.blink(for: .milliseconds(600)))
        #expect(try await blinker.blink(for: .milliseconds(1)))
        await clock.advance(by: .milliseconds(200))
        await clock.settle()
        #expect(led["brightness"] == "0")
        await clock.advance(by: .milliseconds(399))
        await clock.settle()
        #expect(led["trigger"] == "none")
        await clock.advance(by: .milliseconds(1))
        try await waitUntil { led["trigger"] == "timer" }
    }

    @Test func `a process that was stopped for a while does not catch up`() async throws {
        let blinker = blinker()
        #expect(try await blinker.blink(for: .seconds(15)))
        await clock.advance(by: .milliseconds(5050))
        await clock.settle()
        #expect(led["brightness"] == "0")
        await clock.advance(by: .milliseconds(150))
        await clock.settle()
        #expect(led["brightness"] == "255")
        await blinker.stop()
    }

    @Test func `a stop puts the LED back at once`() async throws {
        let blinker = blinker()
        #expect(try await blinker.blink(for: .seconds(600)))
        await blinker.stop()
        #expect(led["brightness"] == "3")
        #expect(led["trigger"] == "timer")
        #expect(led.former == nil)
    }

    @Test func `what a trigger would forget is put back as well`() async throws {
        led["delay_on"] = "100"
        led["delay_off"] = "900"
        let blinker = blinker()
        #expect(try await blinker.blink(for: .seconds(1)))
        led["delay_on"] = "500"
        led["delay_off"] = "500"
        await blinker.stop()
        #expect(led["delay_on"] == "100")
        #expect(led["delay_off"] == "900")
    }

    @Test(arguments: ["[none] timer", nil])
    func `a LED without a trigger gets none`(trigger: String?) async throws {
        let led = TestLED(brightness: "1", trigger: trigger)
        let blinker = Blinker(place: .fixed(led.path), formerFile: led.formerFile, clock: clock)
        #expect(try await blinker.blink(for: .seconds(1)))
        #expect(led["brightness"] == "255")
        await blinker.stop()
        #expect(led["brightness"] == "1")
        #expect(led["trigger"] == trigger)
    }

    @Test func `what the LED was like is kept while it blinks, and put back by the next start`() async throws {
        let killed = FormerFile(path: led.formerFile)
        do {
            try killed.save(FormerFile.Former(led: led.led, state: try led.led.state()))
        }
        led["brightness"] = "255"
        led["trigger"] = "[none] timer heartbeat"
        await blinker().restoreLeftover()
        // Its process lives, and blinks.
        #expect(led["brightness"] == "255")
        killed.release(keeping: true)
        // A process that another test is about to start may hold the lock until it has begun.
        while led.former != nil { await blinker().restoreLeftover() }
        #expect(led["brightness"] == "3")
        #expect(led["trigger"] == "timer")
    }

    @Test func `two that blink one LED both put back what it was before`() async throws {
        let one = blinker()
        let other = blinker()
        #expect(try await one.blink(for: .seconds(600)))
        #expect(try await other.blink(for: .seconds(600)))
        await one.stop()
        await other.stop()
        #expect(led["brightness"] == "3")
        #expect(led["trigger"] == "timer")
        #expect(led.former == nil)
    }

    @Test func `a file that cannot be kept does not stop it from blinking`() async throws {
        let blinker = Blinker(place: .fixed(led.path), formerFile: "/proc/nothing/former", clock: clock)
        #expect(try await blinker.blink(for: .seconds(1)))
        #expect(led["brightness"] == "255")
        await blinker.stop()
        #expect(led["brightness"] == "3")
    }

    @Test(arguments: ["", "{", "[]", #"{"path":"relative","brightness":"1"}"#, #"{"path":"/x"}"#])
    func `a damaged file is nothing`(text: String) async throws {
        mkdir(led.root + "/state", 0o755)
        let file = try #require(fopen(led.formerFile, "w"))
        fputs(text, file)
        fclose(file)
        #expect(FormerFile(path: led.formerFile).restore())
        #expect(try await blinker().blink(for: .seconds(1)))
    }

    @Test func `a LED that vanishes ends the blinking, and one that comes back blinks again`() async throws {
        let blinker = blinker()
        #expect(try await blinker.blink(for: .seconds(600)))
        await clock.settle()
        rename(led.path, led.root + "/away")
        await clock.advance(by: .milliseconds(200))
        try await waitUntil { led.former == nil }
        await #expect(throws: PluginError.self) { try await blinker.blink(for: .seconds(1)) }
        rename(led.root + "/away", led.path)
        #expect(try await blinker.blink(for: .seconds(1)))
        await blinker.stop()
    }

    @Test func `a board without a LED is told as such`() async throws {
        #expect(try await !blinker(.nowhere).blink(for: .seconds(1)))
        #expect(try await !blinker(.usual(in: led.root + "/nothing")).blink(for: .seconds(1)))
        #expect(await blinker(.nowhere).readiness().isReady)
    }

    @Test(arguments: LEDPlace.usualNames)
    func `the usual names are found`(name: String) async throws {
        rename(led.path, "\(led.root)/\(name)")
        defer { rename("\(led.root)/\(name)", led.path) }
        #expect(LEDPlace.usual(in: led.root).led?.path == "\(led.root)/\(name)")
    }

    @Test func `a LED that is configured and not there is an error that says which`() async {
        let blinker = blinker(.fixed(led.root + "/nothing"))
        await #expect(
            throws: PluginError(
                .unavailable,
                "there is no LED at \(led.root)/nothing",
                detail: "open \(led.root)/nothing/brightness: No such file or directory"
            )
        ) { try await blinker.blink(for: .seconds(1)) }
        #expect(await blinker.readiness().reason == "there is no LED at \(led.root)/nothing")
    }
}
