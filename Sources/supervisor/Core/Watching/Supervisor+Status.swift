import Glibc
public import JSON
import SupervisorPorts

/// What the core reports about itself and the device.
extension Supervisor {
    public func ailment() -> String? {
        let now = parts.clock.now
        return engineLink.absence(at: now) ?? disk.ailment(at: now) ?? engineLink.stuckStep(at: now)
            ?? parts.host.ailment()
    }

    public func device() async -> JSONValue {
        let locks = await locks()
        let first = instances.min { $0.reportOrder < $1.reportOrder }
        return [
            "api_port": .integer(Int64(settings.apiPort)),
            "ip_address": .string(parts.addresses()),
            "commit": first.map { .string(progress.settledCommits[$0.key.app] ?? $0.commit) } ?? .null,
            "status": .string(progress.status.rawValue),
            "download_progress": downloadProgress,
            "os_version": .string(identity.osVersion),
            "supervisor_version": .string(settings.reportedVersion),
            "update_pending": .bool(progress.isPending),
            "update_downloaded": .bool(progress.isDownloaded),
            "update_failed": .bool(progress.hasFailed),
            "update_error": progress.error.map(JSONValue.string) ?? .null,
            "locks": locks,
            "connectivity": connectivity,
            "update_warning": images.warning(target).map(JSONValue.string) ?? .null,
            "agent_version": .string(identity.supervisorVersion),
        ]
    }

    private var downloadProgress: JSONValue {
        progress.download.map { .integer(Int64($0)) } ?? .null
    }

    public func application(_ id: AppID) async throws(SupervisorError) -> JSONValue {
        let containers = inventory.containers(of: id)
        guard !containers.isEmpty || target?[id] != nil else {
            guard inventory.hasListed else {
                throw SupervisorError(.unavailable, "The container engine has not answered yet", retryAfter: 5)
            }
            throw SupervisorError(.notFound, "There is no application \(id) on this device")
        }
        let services = max(
            Set(containers.map { $0.labels[ContainerLabel.service] }).count,
            target?[id]?.services.count ?? 0
        )
        guard services <= 1 else { throw Self.severalServices(id, services) }
        let container = containers.first(where: \.state.isAlive) ?? containers.first
        // Without the engine, the variables of the target are the best that is known.
        let complete = (try? await completeDefinitions(container.map { [$0] } ?? [])) ?? []
        let app = TargetState.recovered(from: complete, networks: inventory.networks)[id] ?? target?[id]
        let service = app?.services.first
        return [
            "appId": .integer(id.number),
            "commit": container?.labels[ContainerLabel.commit].map(JSONValue.string) ?? .null,
            "imageId": (container?.image ?? service?.image).map(JSONValue.string) ?? .null,
            "containerId": container.map { .string($0.id) } ?? .null,
            "env": environment(app, service),
        ]
    }

    /// The container's variables without the API key.
    private func environment(_ app: AppTarget?, _ service: ServiceTarget?) -> JSONValue {
        guard let app, let service else { return [:] }
        let host = knownHostAddress(service.composition, of: app.id)
        let variables = builder().environment(app: app, service: service, host: host ?? "127.0.0.1")
        return .object(
            JSONObject(
                variables.filter { !$0.key.hasSuffix("_SUPERVISOR_API_KEY") }
                    .sorted { $0.key < $1.key }
                    .map { ($0.key, JSONValue.string($0.value)) }
            )
        )
    }

    // MARK: For superctl

    public func status() async -> JSONValue {
        let locks = await locks()
        let now = parts.clock.now
        let ailment = ailment()
        return LoopWatch.shared.run("the status") { status(locks, ailment, now) }
    }

    private func status(_ locks: JSONValue, _ ailment: String?, _ now: Duration) -> JSONValue {
        let turns = LoopWatch.shared.counts
        return [
            "supervisor": [
                "version": .string(identity.supervisorVersion),
                "pid": .integer(Int64(getpid())),
                "uptimeSec": .integer((now - startedAt).components.seconds),
                "longTurns": .integer(Int64(turns.longTurns)),
                "longestTurnMs": .integer(Int64(turns.longestMilliseconds)),
            ],
            "device": [
                "name": .string(target?.name ?? ""),
                "uuid": .string(identity.uuid),
                "type": .string(identity.deviceType),
                "osVersion": .string(identity.osVersion),
                "apiPort": .integer(Int64(settings.apiPort)),
                "ipAddress": .string(parts.addresses()),
            ],
            "engine": engineLink.json(socket: settings.engineSocket, at: now),
            "health": [
                "healthy": .bool(ailment == nil),
                "ailment": ailment.map(JSONValue.string) ?? .null,
            ],
            "update": updateStatus(now),
            "apps": .array(knownApps.map { appStatus($0, now) }),
            "locks": locks,
            "power": power.json(at: now),
            "connectivity": connectivity,
            "uplink": uplink,
        ]
    }

    public func configuration() async -> JSONValue { parts.configuration() }

    private func updateStatus(_ now: Duration) -> JSONValue {
        [
            "status": .string(progress.status.rawValue),
            "downloadProgress": downloadProgress,
            "image": images.imageUnderWay.map(JSONValue.string) ?? .null,
            "pending": .bool(progress.isPending),
            "downloaded": .bool(progress.isDownloaded),
            "failed": .bool(progress.hasFailed),
            "error": progress.error.map(JSONValue.string) ?? .null,
            "warning": images.warning(target).map(JSONValue.string) ?? .null,
            "locked": .bool(news.blockedReason != nil),
            "nextAttemptSec": progress.nextAttempt.map { .integer(max(0, ($0 - now).components.seconds)) } ?? .null,
            "targetFile": .string(cloudLink.isSource ? settings.cloudTargetFile ?? "" : settings.targetFile),
            "targetSource": .string(cloudLink.isSource ? "cloud" : "file"),
            "targetError": targetInForce.error.map(JSONValue.string) ?? .null,
            "checksBegun": .integer(progress.checksBegun),
            "checksEnded": .integer(progress.checksEnded),
        ]
    }

    private var knownApps: [AppID] {
        inventory.apps.union(target?.apps.map(\.id) ?? []).sorted()
    }

    private func appStatus(_ id: AppID, _ now: Duration) -> JSONValue {
        let running = inventory.instances(of: id).sorted { $0.reportOrder < $1.reportOrder }
        let wanted = target?[id]
        let names = Set(running.map(\.key.service)).union(wanted?.services.map(\.name) ?? []).sorted()
        return [
            "appId": .integer(id.number),
            "name": .string(wanted?.name ?? ""),
            "commit": running.first.map { .string(progress.settledCommits[id] ?? $0.commit) } ?? .null,
            "targetCommit": wanted.map { .string($0.commit) } ?? .null,
            "services": .array(
                names.map { name in
                    let key = ServiceKey(app: id, service: name)
                    let instance = running.first { $0.key == key }
                    let image = instance?.image ?? wanted?.services.first { $0.name == name }?.image
                    return [
                        "serviceName": .string(name),
                        "image": image.map(JSONValue.string) ?? .null,
                        "containerId": instance.map { .string($0.id) } ?? .null,
                        "state": .string(state(of: instance, key)),
                        "crashLooping": .bool(crashes.isLooping(key, at: now)),
                        "rolledBackFrom": rollBack.rolledBackCommit(key, target).map(JSONValue.string) ?? .null,
                        "exitCode": crashes.exitCode(of: key).map { .integer(Int64($0)) } ?? .null,
                        "lastLines": .array(crashes.lines(of: key, at: now).map(JSONValue.string)),
                    ]
                }
            ),
        ]
    }

    private func state(of instance: CurrentState.Instance?, _ key: ServiceKey) -> String {
        guard let instance else { return "missing" }
        return !instance.state.isAlive && memory.staysStopped(instance) ? "stopped" : instance.state.rawValue
    }
}

extension CurrentState.Instance {
    /// The one that lives before its successor that is still to start.
    fileprivate var reportOrder: (ServiceKey, Int, String) { (key, state.isAlive ? 0 : 1, id) }
}
