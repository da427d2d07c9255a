import Glibc
import LinuxSupport
import SupervisorPluginAPI

/// Makes the board's LED blink, and restores it afterwards.
///
/// Has a thread of its own, since writing to a LED may block for a moment.
actor Blinker<Time: Clock> where Time.Duration == Duration {
    private struct Blinking {
        var led: SysfsLED
        var former: SysfsLED.State
        var full: String
        var begin: Time.Instant
        var schedule: BlinkSchedule
        var isOn = true
    }

    private nonisolated let thread = BlockingThread(name: "blinker")
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    private let place: LEDPlace
    private let file: FormerFile
    private let clock: Time
    private var blinking: Blinking?
    private var task: Task<Void, Never>?

    init(place: LEDPlace, formerFile: String, clock: Time) {
        self.place = place
        self.clock = clock
        file = FormerFile(path: formerFile)
    }

    /// Starts to blink, or extends the blinking. Returns false if there is no LED.
    func blink(for duration: Duration) throws(PluginError) -> Bool {
        if let begin = blinking?.begin {
            blinking?.schedule.extend(to: begin.duration(to: clock.now) + duration)
            return true
        }
        guard let led = place.led else { return false }
        do throws(SystemCallError) {
            try begin(led, duration)
        } catch {
            throw Self.told(error, led)
        }
        task = Task { await run() }
        return true
    }

    /// Ends at once, and returns when the LED is as it was.
    func stop() async {
        task?.cancel()
        await task?.value
    }

    /// Restores a LED that a killed process left blinking.
    func restoreLeftover() {
        _ = file.restore()
    }

    func readiness() -> PluginPing.Reply {
        guard let led = place.led else { return PluginPing.Reply(isReady: true, reason: "there is no LED") }
        if led.isWritable { return PluginPing.Reply(isReady: true) }
        let reason = led.exists ? "\(led.path)/brightness may not be written" : "there is no LED at \(led.path)"
        return PluginPing.Reply(isReady: false, reason: reason)
    }

    // MARK: Steps

    private func begin(_ led: SysfsLED, _ duration: Duration) throws(SystemCallError) {
        let former: SysfsLED.State
        switch file.find() {
        case .inUse(let other) where other.led == led, .leftover(let other) where other.led == led:
            // What the LED shows now is the blinking of another process.
            former = other.state
        default:
            former = try led.state()
        }
        let full = try led.full()
        do throws(SystemCallError) {
            if case .inUse = file.find() {} else { try file.save(FormerFile.Former(led: led, state: former)) }
        } catch {
            PluginLog.warning(
                "cannot save the state of the LED, which stays changed if this process is killed: \(error.description)"
            )
        }
        do throws(SystemCallError) {
            try led.takeOver(from: former)
            try led.set(full)
        } catch {
            try? led.restore(former)
            file.release()
            throw error
        }
        blinking = Blinking(
            led: led,
            former: former,
            full: full,
            begin: clock.now,
            schedule: BlinkSchedule(end: duration)
        )
    }

    private func run() async {
        while let now = blinking, !Task.isCancelled {
            let time = now.begin.duration(to: clock.now)
            if now.schedule.isOver(time) { break }
            let isOn = now.schedule.isOn(time)
            if isOn != now.isOn {
                do throws(SystemCallError) {
                    try now.led.set(isOn ? now.full : "0")
                    blinking?.isOn = isOn
                } catch {
                    PluginLog.warning("the LED stops blinking: \(error.description)")
                    break
                }
            }
            let next = now.begin.advanced(by: now.schedule.next(after: time))
            try? await clock.sleep(until: next, tolerance: .zero)
        }
        finish()
    }

    /// Restores the LED. A call from now on starts from the beginning.
    private func finish() {
        guard let last = blinking else { return }
        blinking = nil
        task = nil
        do throws(SystemCallError) {
            try last.led.restore(last.former)
        } catch {
            PluginLog.warning("cannot restore \(last.led.path): \(error.description)")
            return file.release(keeping: !error.isAbsence)
        }
        file.release()
    }

    private static func told(_ failure: SystemCallError, _ led: SysfsLED) -> PluginError {
        if failure.isRefusal {
            return PluginError(
                .permissionDenied,
                "the LED may not be written; the plugin's user needs to write brightness and trigger in \(led.path)",
                detail: failure.description
            )
        }
        if failure.isAbsence {
            return PluginError(.unavailable, "there is no LED at \(led.path)", detail: failure.description)
        }
        return PluginError(.failed, "the LED cannot be used", detail: failure.description)
    }
}
