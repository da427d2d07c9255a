import CLinux
import Glibc
import JSON
import LinuxSupport

/// What applications write.
extension Supervisor {
    /// The maximum number of past lines.
    private static let tailLimit = 100_000
    /// Of a container that was made while its predecessor's lines were followed.
    private static let successorTail = 1000

    public func logs(
        _ id: AppID,
        service: String?,
        tail: Int,
        follow: Bool
    ) async throws(SupervisorError) -> LineStream {
        try refuseWhileStopping()
        try await refreshContainers()
        let services = try servicesToRead(id, service)
        let stream = LineStream(executor: parts.executor, capacity: 1 << 20)
        let number = logStreams.add(stream)
        let tail = min(max(tail, 0), Self.tailLimit)
        let task = Task(executorPreference: parts.executor) {
            await self.read(id, services, tail: tail, follow: follow, into: stream)
        }
        await stream.atEnd {
            task.cancel()
            self.assumeIsolated { $0.logStreams.remove(number) }
        }
        return stream
    }

    private func servicesToRead(_ id: AppID, _ service: String?) throws(SupervisorError) -> [String] {
        let instances = inventory.instances(of: id)
        let known = Set(instances.map(\.key.service)).union(target?[id]?.services.map(\.name) ?? []).sorted()
        guard !known.isEmpty else {
            throw SupervisorError(.notFound, "There is no application \(id) on this device")
        }
        guard let service else { return known }
        guard known.contains(where: { $0.isExactly(service) }) else {
            throw SupervisorError(
                .notFound,
                "Application \(id) has no service \(service.cut(toBytes: 64)); it has: \(known.joined(separator: ", "))"
            )
        }
        return [service]
    }

    private func read(
        _ id: AppID,
        _ services: [String],
        tail: Int,
        follow: Bool,
        into stream: LineStream
    ) async {
        await withTaskGroup(of: Void.self) { group in
            for service in services {
                let key = ServiceKey(app: id, service: service)
                group.addTask { await self.read(key, tail: tail, follow: follow, into: stream) }
                // One after another, where the reader does not wait for more.
                if !follow { await group.next() }
            }
        }
        await stream.push(["end": true])
        await stream.finish()
    }

    private func read(_ key: ServiceKey, tail: Int, follow: Bool, into stream: LineStream) async {
        var last: CurrentState.Instance?
        var end: Duration?
        while true {
            let seen = logStreams.starts
            let next = instances.first { $0.key == key && $0.state.isAlive }
            if let container = next ?? (last == nil ? instances.first { $0.key == key } : nil) {
                do throws(EngineError) {
                    let isSame = container.id == last?.id
                    try await parts.engine.logs(
                        container: container.id,
                        tail: last == nil ? tail : Self.successorTail,
                        since: isSame ? end : nil,
                        follow: follow
                    ) { line in
                        stream.assumeIsolated { $0.push(Self.json(line, of: key)) }
                    }
                } catch {
                    // A container that is gone already has a successor.
                    if error.code != .notFound, error.code != .cancelled {
                        await stream.push(["service": .string(key.service), "error": .string(error.message)])
                        return
                    }
                }
                last = container
                end = Self.sinceEpoch()
            }
            guard follow, !isStopping, await !stream.isFinished else { return }
            await containerStart(after: seen)
            guard !isStopping, await !stream.isFinished else { return }
        }
    }

    /// Now, as finely as the engine stamps lines: what a process wrote before it ended is older than that, what its
    /// successor writes is not.
    private static func sinceEpoch() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    private static func json(_ line: EngineLogLine, of key: ServiceKey) -> JSONValue {
        [
            "service": .string(key.service),
            "stream": .string(line.isError ? "stderr" : "stdout"),
            "text": .string(line.text),
        ]
    }

    /// Returns when a container of ours has been started since `seen` was what `logStreams.starts` says, or when a stream
    /// ends.
    private func containerStart(after seen: Int) async {
        await withCheckedContinuation { continuation in
            if isStopping { continuation.resume() } else { logStreams.wait(after: seen, continuation) }
        }
        // The new one is in the list only after that.
        _ = try? await refreshContainers()
    }

}
