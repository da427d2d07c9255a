import JSON

/// What a device reports: each time only what has changed.
enum Report {
    /// Members that hold a secret; they are not kept.
    private static let secrets = ["api_secret"]
    /// Texts that are longer are cut, as the protocol has it; lengths in bytes.
    private static let lengths = [
        "status": 50, "os_version": 70, "os_variant": 70, "supervisor_version": 20, "ip_address": 2000,
        "mac_address": 900, "note": 1000, "name": 255, "device_name": 255,
    ]
    /// What is kept of all reports of a device, in bytes.
    static let sizeLimit = 256 << 10
    /// Members of one report.
    private static let limit = 100

    static func merged(_ known: JSONObject, with report: JSONObject) -> JSONObject {
        var result = known
        for member in report.members.prefix(limit) where !secrets.contains(where: { $0 == member.name }) {
            guard member.name.utf8.count <= 64, result.count < limit || result[member.name] != nil else { continue }
            switch (member.name, member.value) {
            case ("apps", .object(let apps)):
                var all = result["apps"]?.objectValue ?? JSONObject()
                for app in apps.members.prefix(limit) { all[app.name] = app.value }
                result["apps"] = .object(all)
            case (let name, .string(let text)):
                result[name] = .string(text.cut(toBytes: lengths[name] ?? 255))
            case (let name, let value):
                result[name] = value
            }
        }
        return result
    }

    static func summary(of report: JSONObject) -> ReportSummary {
        func text(_ name: String) -> String? { report[name]?.stringValue }
        var commit = text("is_on__commit")
        for app in report["apps"]?.objectValue?.members ?? [] {
            commit = app.value["release_uuid"]?.plainValue ?? commit
        }
        return ReportSummary(
            supervisorVersion: text("supervisor_version"),
            osVersion: text("os_version"),
            osVariant: text("os_variant"),
            macAddress: text("mac_address"),
            ipAddress: text("ip_address"),
            status: text("status"),
            runningCommit: commit?.cut(toBytes: 64)
        )
    }
}
