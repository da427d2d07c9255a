import SupervisorCore
import SupervisorPluginAPI

/// Calls: those under way belong to the connection, the others wait here, first come, first served.
extension SupervisedPlugin {
    func submit(_ call: PluginCall) {
        if let recorder = call.recorder { recorders.append(recorder) }
        guard !isRetired else { return call.fail(unavailable("has been stopped")) }
        if queue.isEmpty, let connection, connection.hasRoom {
            send(call, connection)
            return arm()
        }
        guard queue.count < Self.queueLimit else {
            let message = "\(manifest.name): \(queue.count) calls are already waiting"
            return call.fail(HostOperationError(.busy, message, retryAfter: 1))
        }
        if let next = supervision.nextAttempt, supervision.state == .backingOff, next >= call.deadline {
            return call.fail(unavailable(supervision.reason ?? "has failed"))
        }
        queue.append(call)
        post(.demanded)
    }

    /// The caller does not wait any more.
    func cancel(_ call: PluginCall) {
        guard !call.isAnswered else { return }
        let wasSent = connection?.cancel(call) ?? false
        let mayBeDone = wasSent && connection.map { !$0.isIdempotent(call) } == true
        call.fail(
            HostOperationError(
                .failed,
                "\(call.operation) was cancelled by its caller",
                isOutcomeUnknown: mayBeDone || call.attempts > 0 && call.contractSaysIdempotent == false
            )
        )
        forgetAnswered()
        arm()
    }

    /// Sends waiting calls, as far as there is room, and reports whether the plugin has something to do.
    func pump() {
        guard let connection, connection.isReady else { return }
        while connection.hasRoom, !queue.isEmpty { send(queue.removeFirst(), connection) }
        if connection.table.isEmpty { post(.quiet) }
        arm()
    }

    private func send(_ call: PluginCall, _ connection: PluginConnection) {
        guard !call.isAnswered else { return }
        if connection.table.isEmpty { post(.busy) }
        connection.send(call)
        // One that could not be sent has left nothing behind.
        if connection.table.isEmpty { post(.quiet) }
    }

    func expireQueue(at time: Duration) {
        for call in queue where call.deadline <= time {
            let why =
                supervision.state == .ready
                ? "was busy with other calls" : "was not ready: \(supervision.reason ?? supervision.state.rawValue)"
            call.fail(HostOperationError(.timeout, "\(manifest.name) \(why)"))
        }
        forgetAnswered()
    }

    private func forgetAnswered() {
        guard queue.contains(where: \.isAnswered) else { return }
        queue.removeAll(where: \.isAnswered)
        if queue.isEmpty { post(.undemanded) }
    }

    func refuseQueue(_ error: HostOperationError) {
        let refused = queue
        queue = []
        for call in refused { call.fail(error) }
    }

    func forget(_ recorder: FrameRecorder) {
        recorders.removeAll { $0 === recorder }
    }
}
