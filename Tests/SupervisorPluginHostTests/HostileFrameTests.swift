import SupervisorPluginAPI
import TestSupport
import Testing

@testable import SupervisorPluginHost

/// What a plugin may say, in marks.
struct HostileFrameTests {
    private let marks = HostileText.marks(900_000)

    private func frame(_ members: JSONObject) throws(FrameError) -> Frame {
        var all: JSONObject = ["jsonrpc": "2.0"]
        for member in members { all[member.name] = member.value }
        return try Frame(parsing: JSONValue.object(all).encoded())
    }

    @Test(arguments: ["id", "method", "jsonrpc"])
    func `names and ids of frames are refused`(member: String) {
        let isQuick = HostileText.isQuick {
            #expect(throws: FrameError.self) { try frame(["id": 1, "method": "a.b", member: .string(marks)]) }
        }
        #expect(isQuick)
    }

    @Test func `texts of errors are cut`() throws {
        let marks = HostileText.marks(200_000)
        let data: JSONValue = ["reason": .string(marks), "detail": .string(marks), "source": .string(marks)]
        let isQuick = try HostileText.isQuick {
            let read = try frame(["id": 1, "error": ["code": -32000, "message": .string(marks), "data": data]])
            guard case .failure(_, let error) = read else {
                Issue.record("\(read)")
                return
            }
            #expect(error.message.utf8.count <= 2048 && error.detail.map { $0.utf8.count <= 2048 } == true)
            #expect(error.reason == nil && error.source == nil)
        }
        #expect(isQuick)
    }

    @Test(arguments: ["name", "operation"])
    func `names in a handshake are refused`(place: String) {
        let reply: JSONObject = [
            "protocolVersion": 1,
            "plugin": ["name": place == "name" ? .string(marks) : "led", "version": .string(marks)],
            "operations": [["name": place == "name" ? "led.blink" : .string(marks)]],
        ]
        let isQuick = HostileText.isQuick {
            #expect(throws: PluginError.self) { try PluginInitialize.Reply(json: reply) }
            #expect(throws: PluginError.self) { try HostnamePayload(json: ["hostname": .string(marks)]) }
            #expect(throws: PluginError.self) { try PowerStatus.Reply(json: ["preparing": .string(marks)]) }
        }
        #expect(isQuick)
    }

    @Test func `members of a frame are redacted in time that grows with their number`() {
        let object = JSONObject((0..<60_000).map { ("\($0)", JSONValue.string("x")) } + [("password", "secret")])
        let isQuick = HostileText.isQuick {
            #expect(Redaction.redacted(.object(object))["password"] == .string(Redaction.mark))
        }
        #expect(isQuick)
    }
}
