/// What lists show of a report; nil where the device has not reported it.
struct ReportSummary: Sendable {
    var supervisorVersion: String?
    var osVersion: String?
    var osVariant: String?
    var macAddress: String?
    var ipAddress: String?
    var status: String?
    var runningCommit: String?
}
