import Glibc
import Testing

@testable import device_supervisor

@Suite struct ConfigurationDocumentationTests {
    /// The cells of each row of the table of keys in docs/configuration.md.
    private static func rows() throws -> [[String]] {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let file = try #require(fopen("/\(root)/docs/configuration.md", "r"))
        defer { fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = fread(&buffer, 1, buffer.count, file)
        return String(decoding: buffer[..<count], as: UTF8.self).split(separator: "\n")
            .filter { $0.hasPrefix("| [") }
            .map { row in
                row.split(separator: "|").map { cell in
                    String(cell.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
                }
            }
    }

    @Test func `every key is documented and every documented key is read`() throws {
        let documented = try Self.rows().map { "\($0[0]) \($0[1])" }
        let known = ConfigurationReader.keys.flatMap { section, keys in keys.map { "[\(section)] \($0)" } }
        #expect(documented.sorted() == known.sorted())
    }

    @Test func `what is documented not to be reloadable is what needs a restart`() throws {
        let root = ConfigurationDirectory()
        let old = try root.load().configuration
        var new = old
        new.stateDirectory = "/x"
        new.runtimeDirectory = "/x"
        new.deviceType = "x"
        new.uuid = String(repeating: "0", count: 32)
        new.port = 1
        new.interfaces = []
        new.maxConnections = 8
        new.pingRequiresKey = false
        new.uplinkUser = "x"
        new.reportedVersion = "1.2.3"
        new.engineSocket = "/x"
        new.engineSocketIsGiven = true
        new.target = "/x"
        new.cloudTarget = "/x"
        new.dataDirectory = "/x"
        new.lockDirectory = "/x"
        new.pollInterval = .seconds(1)
        new.pluginSearchPath = []
        let documented = try Self.rows().filter { $0.last == "no" }.map { "\($0[0]) \($0[1])" }
        #expect(Configuration.changesNeedingRestart(from: old, to: new) == documented)
    }
}
