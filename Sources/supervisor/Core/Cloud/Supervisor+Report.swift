import HostOperations
import JSON
import LinuxSupport
import Logging

/// What the device reports to a remote service by way of the uplink.
extension Supervisor {
    /// Changes come in bursts; one report covers those of so long a time.
    private static let reportDelay: Duration = .seconds(1)

    /// Something has changed that a report may say.
    func reportLater() {
        guard !isStopping, !cloudLink.awaitsReport, parts.host.provides(CloudReport.name) else { return }
        let task = after(Self.reportDelay) { supervisor in
            supervisor.cloudLink.reportBegins()
            guard !supervisor.isStopping else { return }
            supervisor.own { await $0.report() }
        }
        cloudLink.awaitReport(task)
    }

    /// The uplink compares it with what the service knows, and waits where it must.
    func report() async {
        let state = reportState
        guard cloudLink.isNews(state) else { return }
        let report = CloudReport.Parameters(uuid: identity.uuid, deviceType: identity.deviceType, state: state)
        do throws(HostOperationError) {
            _ = try await parts.host.call(CloudReport.self, report, requestID: nil)
            cloudLink.reported(state)
        } catch {
            logger.info("The uplink did not take the report: \(error)")
        }
    }

    /// The members of the service's protocol v2. Without the API key: the uplink's commands need none.
    private var reportState: JSONObject {
        let first = instances.min { $0.key < $1.key }
        let commit = first.map { progress.settledCommits[$0.key.app] ?? $0.commit }
        return [
            "status": .string(progress.status.rawValue),
            "os_version": .string(identity.osVersion),
            "supervisor_version": .string(settings.reportedVersion),
            "ip_address": .string(parts.addresses()),
            "api_port": .integer(Int64(settings.apiPort)),
            "is_on__commit": commit.map(JSONValue.string) ?? .null,
            "download_progress": progress.download.map { .integer(Int64($0)) } ?? .null,
            "update_error": progress.error.map { .string($0.cut(toBytes: 1024)) } ?? .null,
            "apps": .object(JSONObject(inventory.apps.sorted().map { ("\($0.number)", reportedApp($0)) })),
        ]
    }

    private func reportedApp(_ id: AppID) -> JSONValue {
        var services: JSONObject = [:]
        for instance in inventory.instances(of: id).sorted(by: { $0.key < $1.key }) {
            services[instance.key.service] = [
                "image": .string(instance.image), "status": .string(instance.state.rawValue),
                "commit": .string(instance.commit),
            ]
        }
        return [
            "commit": (progress.settledCommits[id] ?? inventory.instances(of: id).first?.commit)
                .map(JSONValue.string) ?? .null,
            "services": .object(services),
        ]
    }
}
