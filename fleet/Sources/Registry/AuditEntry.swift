/// Who did what, and when (milliseconds since 1970).
struct AuditEntry: Sendable {
    var id: Int64
    var at: Int64
    var actor: String
    var action: String
    var subject: String
    var detail: String
}
