import SupervisorPluginAPI
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// The examples of docs/plugin-protocol.md are what this module writes and reads, to the byte.
@Suite struct ProtocolDocumentationTests {
    static let page: String = {
        // …/Tests/SupervisorPluginAPITests/Frames/ProtocolDocumentationTests.swift
        let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        guard let file = fopen("/\(root)/docs/plugin-protocol.md", "r") else { return "" }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }()

    static let examples = page.split(separator: "\n").filter { $0.first == "→" || $0.first == "←" }.map {
        String($0.dropFirst(2))
    }

    private static let operations: [any HostOperation.Type] = [
        PowerReboot.self, PowerPowerOff.self, PowerStatus.self, HostnameGet.self, HostnameSet.self, ProxyGet.self,
        ProxySet.self, ProxyClear.self, LEDBlink.self, TCPPingEnable.self, TCPPingDisable.self, TCPPingStatus.self,
        StorageReap.self, UplinkStatus.self, UplinkRegister.self, UplinkDisconnect.self, CloudRefresh.self,
        CloudReport.self, PluginPing.self, PluginShutdown.self,
    ]

    @Test func thePageHasExamples() {
        #expect(Self.examples.count > 40)
    }

    @Test(arguments: examples) func anExampleIsAFrameToTheByte(line: String) throws {
        let frame = try Frame(parsing: line.utf8)
        #expect(String(decoding: frame.encoded(), as: UTF8.self) == line + "\n")
    }

    @Test func theTableOfOperationsIsTheContract() {
        for operation in Self.operations {
            let row = Self.page.split(separator: "\n").first { $0.starts(with: "| \(operation.name) |") }
            #expect(row?.hasSuffix(operation.isIdempotent ? "| yes |" : "| no |") == true, "\(operation.name)")
            let call = "\"method\":\"\(operation.name)\""
            #expect(Self.examples.contains { $0.contains(call) }, "no example of \(operation.name)")
        }
    }

    @Test func everyCallOfThePageHasTheParamsAndResultsOfItsType() throws {
        var pending: [RequestID: any HostOperation.Type] = [:]
        for line in Self.examples {
            switch try Frame(parsing: line.utf8) {
            case .request(let id, let method, let parameters):
                guard let type = Self.operations.first(where: { $0.name == method }) else { continue }
                pending[id] = type
                // Wrong ones are examples, too.
                if let problem = Self.problem(parameters, type) { #expect(problem.reason == .invalidArgument) }
            case .result(let id, let result):
                guard let type = pending[id] else { continue }
                #expect(Self.reply(try #require(result.objectValue), type) == result.objectValue, "\(line)")
            case .failure, .notification: break
            }
        }
        #expect(pending.count > 15)
    }

    private static func problem<O: HostOperation>(_ json: JSONObject, _ type: O.Type) -> PluginError? {
        do throws(PluginError) {
            _ = try O.Parameters(json: json)
            return nil
        } catch {
            return error
        }
    }

    private static func reply<O: HostOperation>(_ json: JSONObject, _ type: O.Type) -> JSONObject? {
        (try? O.Reply(json: json))?.json
    }
}
