/// One transaction, on the driver's own thread. It is synchronous, so that nothing can suspend while it is open.
protocol SQLTransaction {
    /// Runs one statement with parameters `$1`, `$2`, … An error ends the transaction: it is not to be caught inside.
    func query(_ statement: StaticString, _ parameters: [SQLValue]) throws -> [SQLRow]
}

/// A database. The statements are those that SQLite and PostgreSQL understand alike.
protocol SQLDriver: Sendable {
    /// `body` may run again after a conflict with another transaction: it has no effects but on the transaction.
    func read<T: Sendable>(_ body: @escaping @Sendable (any SQLTransaction) throws -> T) async throws -> T
    func write<T: Sendable>(_ body: @escaping @Sendable (any SQLTransaction) throws -> T) async throws -> T
}
