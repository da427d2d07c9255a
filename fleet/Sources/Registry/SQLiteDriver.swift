import Foundation
import GRDB

/// SQLite in one file (WAL, synchronous=FULL): what is committed survives a power cut.
struct SQLiteDriver: SQLDriver {
    let pool: DatabasePool

    init(path: String) throws {
        var configuration = GRDB.Configuration()
        // Another process, such as a backup, may hold the file for a moment.
        configuration.busyMode = .timeout(5)
        configuration.label = "registry"
        do {
            pool = try DatabasePool(path: path, configuration: configuration)
            // GRDB sets NORMAL when it opens the pool, and inside a transaction SQLite ignores this.
            let synchronous = try pool.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA synchronous = FULL")
                return try Int.fetchOne(database, sql: "PRAGMA synchronous")
            }
            guard synchronous == 2 else {
                throw SQLError(message: "\(path): synchronous is \(synchronous ?? -1) and not FULL")
            }
        } catch let error as DatabaseError {
            throw SQLError(message: "\(path): \(error.message ?? "code \(error.resultCode.rawValue)")")
        }
    }

    func read<T: Sendable>(_ body: @escaping @Sendable (any SQLTransaction) throws -> T) async throws -> T {
        try await mapped { try await pool.read { try body(SQLiteTransaction(database: $0)) } }
    }

    func write<T: Sendable>(_ body: @escaping @Sendable (any SQLTransaction) throws -> T) async throws -> T {
        try await mapped { try await pool.write { try body(SQLiteTransaction(database: $0)) } }
    }

    /// Copies the whole database, as it is at one moment, to a new file.
    func copy(to path: String) throws {
        let target = try DatabaseQueue(path: path)
        try pool.backup(to: target)
        try target.close()
    }

    private func mapped<T>(_ body: () async throws -> T) async throws -> T {
        do { return try await body() } catch let error as DatabaseError { throw SQLError(error) }
    }
}

extension SQLError {
    init(_ error: DatabaseError) {
        self.init(
            message: error.message ?? "SQLite reports code \(error.extendedResultCode.rawValue)",
            isConflict: [.SQLITE_CONSTRAINT_UNIQUE, .SQLITE_CONSTRAINT_PRIMARYKEY].contains(error.extendedResultCode)
        )
    }
}
