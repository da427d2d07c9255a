import Foundation
import GRDB

struct SQLiteTransaction: SQLTransaction {
    let database: Database

    func query(_ statement: StaticString, _ parameters: [SQLValue]) throws -> [SQLRow] {
        let prepared = try database.cachedStatement(sql: "\(statement)")
        var arguments: [String: (any DatabaseValueConvertible)?] = [:]
        // By name: SQLite numbers `$2` before `$1` where it comes first in the text.
        for (index, value) in parameters.enumerated() {
            arguments["\(index + 1)"] = Self.databaseValue(value)
        }
        prepared.arguments = StatementArguments(arguments)
        let cursor = try Row.fetchCursor(prepared)
        var rows: [SQLRow] = []
        while let row = try cursor.next() { rows.append(SQLRow(values: row.databaseValues.map(Self.value))) }
        return rows
    }

    private static func databaseValue(_ value: SQLValue) -> DatabaseValue {
        switch value {
        case .null: .null
        case .integer(let number): number.databaseValue
        case .real(let number): number.databaseValue
        case .text(let text): text.databaseValue
        case .bytes(let bytes): Data(bytes).databaseValue
        }
    }

    private static func value(_ value: DatabaseValue) -> SQLValue {
        switch value.storage {
        case .null: .null
        case .int64(let number): .integer(number)
        case .double(let number): .real(number)
        case .string(let text): .text(text)
        case .blob(let data): .bytes([UInt8](data))
        }
    }
}
