import SupervisorCore
import SupervisorEventLoop
import SupervisorPluginAPI
import SupervisorPorts

/// The end of a launch. Process and connection end in either order, and what a plugin writes just before it ends, be it an
/// answer or its last log line, must not be lost. So whichever ends first gives the other one a farewell of 200 ms:
///
/// | ended first | then, within the farewell | calls without an answer fail because |
/// | --- | --- | --- |
/// | process | the connection has been read to its end | of how the process ended |
/// | process | nothing: the connection is closed | of how the process ended |
/// | connection | the process ends | of how the process ended |
/// | connection | nothing: the process is ended, as after any failure | it closed its standard output |
/// | connection to a socket | (there is no process) | it closed the connection, at once |
/// | connection, for a fault of the plugin | (is not waited for) | of that fault, at once |
///
/// Until the reason is known, calls of a connection that has ended are orphans. Then each is settled: an idempotent one is
/// put back into the queue, once; the others fail. The launch has ended when process, connection and orphans are gone.
extension SupervisedPlugin {
    /// How long what is left is still heard.
    private static let farewell: Duration = .milliseconds(200)

    /// To be called when a child may have ended.
    func reap() {
        guard let process, let exit = process.reap() else { return }
        self.process = nil
        lastExit = exit
        if connection == nil { lost(exit) } else { waitForTheOther() }
    }

    private func waitForTheOther() {
        farewellDue = now + Self.farewell
        arm()
    }

    func farewellIsOver() {
        farewellDue = nil
        if let connection {
            connection.close()
        } else {
            lost("closed its standard output")
        }
    }

    /// Process, connection or both have ended; calls without an answer fail for `reason`.
    private func lost(_ reason: String) {
        farewellDue = nil
        settleOrphans(reason)
        post(.failed(reason))
        if !queue.isEmpty { post(.demanded) }
    }

    /// Calls that will not be answered on their connection: each has its second chance, or an error.
    private func settleOrphans(_ reason: String) {
        let orphans = orphans
        self.orphans = []
        for (call, isIdempotent) in orphans.reversed() {
            if isIdempotent, call.attempts < 2, !isRetired, supervision.state != .draining, now < call.deadline {
                queue.insert(call, at: 0)
            } else {
                var error = unavailable("\(reason) during \(call.operation)")
                error.isOutcomeUnknown = !isIdempotent
                call.fail(error)
            }
        }
    }

    private func takeOrphans(of connection: PluginConnection) {
        orphans += connection.takeCalls().map { ($0, connection.isIdempotent($0)) }
    }

    // MARK: The connection says

    func connection(_ connection: PluginConnection, failedBecause reason: String) {
        guard connection === self.connection else { return }
        takeOrphans(of: connection)
        self.connection = nil
        lost(reason)
    }

    func connectionIsClosed(_ connection: PluginConnection) {
        guard connection === self.connection else { return }
        takeOrphans(of: connection)
        self.connection = nil
        // The process may have ended already, though its SIGCHLD has not been handled yet.
        if let exit = process?.reap() {
            process = nil
            lastExit = exit
        }
        switch (process, lastExit) {
        case (nil, let exit?) where !manifest.usesSocket: lost(exit)
        case (nil, _): lost("closed the connection")
        case (_?, _): waitForTheOther()
        }
    }
}
