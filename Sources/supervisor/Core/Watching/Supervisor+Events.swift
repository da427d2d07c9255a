import JSON
import SupervisorPorts

/// Publishes the device's events to those who watch it.
extension Supervisor {
    func publish(_ event: DeviceEvent) {
        events.append(event, time: parts.clock.wallSeconds)
        reportLater()
    }

    func publish(_ events: [DeviceEvent]) {
        for event in events { publish(event) }
    }

    public func events(maximumAge: Int64?) -> LineStream {
        let stream = LineStream(executor: parts.executor)
        guard !isStopping else {
            stream.assumeIsolated { $0.finish() }
            return stream
        }
        let now = parts.clock.wallSeconds
        // What has just happened is no history.
        let since = maximumAge.map { $0 <= 0 ? Int64.max : now - min($0, now) } ?? .min
        let number = events.watch(stream, since: since)
        stream.assumeIsolated { stream in
            stream.atEnd { self.assumeIsolated { $0.events.unwatch(number) } }
        }
        return stream
    }

    /// Ends every stream, with the event that the supervisor is stopping.
    func endStreams() {
        publish(.supervisorStopping)
        // The end of a stream comes back to what it is taken from here.
        let streams = events.removeWatchers() + logStreams.removeAll()
        for stream in streams {
            stream.assumeIsolated { $0.finish() }
        }
        crashes.disarm()
        logStreams.wakeFollowers()
    }
}

extension Supervisor {
    /// Publishes the engine's event about a container of ours; `action` in its words.
    func publish(_ action: String, _ key: ServiceKey, _ id: String, _ exitCode: Int?, isOurDoing: Bool) {
        switch action {
        case "create": publish(.containerCreated(key, id))
        case "start": publish(.containerStarted(key, id))
        case "stop": publish(.containerStopped(key, id))
        case "destroy": publish(.containerRemoved(key, id))
        // A stop has an event of its own.
        case "die" where !isOurDoing: publish(.containerDied(key, id, exitCode: exitCode))
        default: break
        }
    }
}
