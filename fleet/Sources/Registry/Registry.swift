import Foundation

/// Applications, releases, devices, tokens, last reports and the audit.
///
/// What is read in a transaction is what is decided on in it: nothing here is cached.
struct Registry: Sendable {
    let driver: SQLiteDriver

    /// Opens the registry in a state directory, and brings its tables up to date.
    ///
    /// Before the tables change, the file is copied beside itself, named after its version.
    static func open(in directory: String) async throws -> Registry {
        let path = directory + "/registry.sqlite"
        let isNew = !FileManager.default.fileExists(atPath: path)
        let driver = try SQLiteDriver(path: path)
        chmod(path, 0o600)
        let registry = Registry(driver: driver)
        try await registry.migrate(path: path, isNew: isNew)
        return registry
    }

    func read<T: Sendable>(_ body: @escaping @Sendable (RegistryTransaction) throws -> T) async throws -> T {
        try await driver.read { try body(RegistryTransaction(sql: $0)) }
    }

    func write<T: Sendable>(_ body: @escaping @Sendable (RegistryTransaction) throws -> T) async throws -> T {
        try await driver.write { try body(RegistryTransaction(sql: $0)) }
    }

    private func migrate(path: String, isNew: Bool) async throws {
        let present = try await write { transaction in
            _ = try transaction.sql.query("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)", [])
            return try transaction.sql.query("SELECT version FROM schema_version", []).first?.integer(0) ?? 0
        }
        let wanted = Int64(Schema.steps.count)
        guard present <= wanted else {
            throw SQLError(
                message: "\(path) has version \(present) of the tables; this program knows versions up to \(wanted)"
            )
        }
        if present == wanted { return }
        if !isNew {
            let copy = "\(path).version-\(present)"
            try? FileManager.default.removeItem(atPath: copy)
            try driver.copy(to: copy)
            chmod(copy, 0o600)
        }
        try await write { transaction in
            for step in Schema.steps[Int(present)...] {
                for statement in step { _ = try transaction.sql.query(statement, []) }
            }
            _ = try transaction.sql.query("DELETE FROM schema_version", [])
            _ = try transaction.sql.query("INSERT INTO schema_version (version) VALUES ($1)", [.integer(wanted)])
        }
    }
}
