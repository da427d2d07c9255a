import Foundation

/// The statements of the registry, in one transaction.
struct RegistryTransaction {
    let sql: any SQLTransaction

    /// Milliseconds since 1970.
    static var now: Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

    /// The next number of a counter: identifiers are never given twice.
    func nextIdentifier(of counter: String) throws -> Int64 {
        let rows = try sql.query(
            "UPDATE counters SET next = next + 1 WHERE name = $1 RETURNING next - 1",
            [.text(counter)]
        )
        guard let row = rows.first else { throw SQLError(message: "there is no counter \(counter)") }
        return try row.integer(0)
    }

    /// Notes who did what. `detail` never holds a secret or the body of a command.
    func note(actor: String, action: String, subject: String, detail: String = "") throws {
        _ = try sql.query(
            "INSERT INTO audit (at, actor, action, subject, detail) VALUES ($1, $2, $3, $4, $5)",
            [.integer(Self.now), .text(actor), .text(action), .text(subject), .text(detail)]
        )
    }

    func audit(before id: Int64, limit: Int64) throws -> [AuditEntry] {
        try sql.query(
            "SELECT id, at, actor, action, subject, detail FROM audit WHERE id < $1 ORDER BY id DESC LIMIT $2",
            [.integer(id), .integer(limit)]
        ).map { row in
            AuditEntry(
                id: try row.integer(0),
                at: try row.integer(1),
                actor: try row.text(2),
                action: try row.text(3),
                subject: try row.text(4),
                detail: try row.text(5)
            )
        }
    }

    /// Removes what is older than 400 days, and all but the last 1,000,000 entries.
    func prune() throws {
        let oldest = Self.now - 400 * 86_400_000
        _ = try sql.query("DELETE FROM audit WHERE at < $1", [.integer(oldest)])
        _ = try sql.query("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - 1000000", [])
        _ = try sql.query("DELETE FROM idempotency WHERE at < $1", [.integer(Self.now - 86_400_000)])
        _ = try sql.query("DELETE FROM bus_keys WHERE expires < $1", [.integer(Self.now / 1000 - 60)])
    }
}
