/// A row of a result; columns are read by their place.
struct SQLRow: Sendable {
    let values: [SQLValue]

    func text(_ column: Int) throws(SQLError) -> String {
        guard case .text(let value) = values[column] else { throw mismatch(column, "a text") }
        return value
    }

    func integer(_ column: Int) throws(SQLError) -> Int64 {
        guard case .integer(let value) = values[column] else { throw mismatch(column, "an integer") }
        return value
    }

    func bool(_ column: Int) throws(SQLError) -> Bool { try integer(column) != 0 }

    func optionalText(_ column: Int) throws(SQLError) -> String? {
        values[column] == .null ? nil : try text(column)
    }

    func optionalInteger(_ column: Int) throws(SQLError) -> Int64? {
        values[column] == .null ? nil : try integer(column)
    }

    private func mismatch(_ column: Int, _ expected: String) -> SQLError {
        SQLError(message: "column \(column) of a row is not \(expected)")
    }
}
