import JSON
import NIOCore
import SupervisorCore
import TestSupport
import Testing

@testable import SupervisorEngine

@Suite("Answers of marks")
struct HostileAnswerTests {
    private let marks = HostileText.marks(400_000)

    private func entry(_ more: JSONObject) -> JSONValue {
        var entry: JSONObject = [
            "Id": "a", "Names": ["/main"], "Image": "demo", "ImageID": "sha256:b", "State": "running", "Created": 1,
        ]
        for member in more { entry[member.name] = member.value }
        return .object(entry)
    }

    @Test("labels of other kinds than ours are dropped, and the container stays")
    func labels() throws {
        let labels: JSONObject = [
            marks: "1", "other": .string(marks), "io.supervisor.service-name": .string(marks),
            "io.supervisor.app-id": "1", "io.supervisor.definition": .string("{\"é\":1}"), "name": "é",
        ]
        let isQuick = try HostileText.isQuick {
            let container = try EngineContainer(
                listed: entry(["Labels": .object(labels), "Status": .string(marks)])
            )
            #expect(container.labels["io.supervisor.service-name"] == nil && container.labels.count == 4)
            #expect(container.labels["io.supervisor.definition"] == "{\"é\":1}" && container.labels["name"] == "é")
            #expect(container.health == .none)
        }
        #expect(isQuick)
    }

    @Test("words, ids and names are not compared as text", arguments: ["Id", "Image", "ImageID", "State"])
    func words(member: String) throws {
        let isQuick = HostileText.isQuick {
            #expect(throws: EngineError.self) { try EngineContainer(listed: entry([member: .string(marks)])) }
        }
        #expect(isQuick)
    }

    @Test("networks with such names are left out")
    func networks() throws {
        let settings: JSONValue = [
            "Networks": .object([marks: ["NetworkID": "x"], "back": ["NetworkID": .string(marks)]])
        ]
        let isQuick = try HostileText.isQuick {
            let container = try EngineContainer(listed: entry(["NetworkSettings": settings]))
            #expect(container.networks == ["back": ""])
        }
        #expect(isQuick)
    }

    @Test("messages of a download change nothing")
    func pull() {
        var progress = PullProgress()
        let isQuick = HostileText.isQuick {
            progress.receive(["id": .string(marks), "status": "Pulling fs layer"])
            progress.receive(["id": "a", "status": .string(marks)])
            progress.receive(["error": .string(marks)])
        }
        #expect(isQuick)
        #expect(progress.percentage == 0 && progress.failure.map { $0.utf8.count <= 500 } == true)
    }

    @Test("events are read as bytes")
    func events() {
        let line = JSONValue.object([
            "Type": "container", "Action": .string(HostileText.marks(60_000)),
            "Actor": ["ID": "a", "Attributes": .object([HostileText.marks(60_000): "1"])],
        ])
        let isQuick = HostileText.isQuick { #expect(EngineEvent(line) == nil) }
        #expect(isQuick)
    }

    @Test("errors are recognised as bytes, in either case")
    func errors() throws {
        let image = try ImageReference("registry.example/a:1")
        func code(_ message: String) -> EngineError.Code {
            EngineError(download: image, message: message, hasCredentials: false, otherwise: .failed).code
        }
        #expect(code("\"" + HostileText.marks(400) + "\" " + HostileText.marks(400)) == .failed)
        #expect(code("No Space Left On Device") == .noSpace)
        #expect(code("Get \"https://no.space/denied: \": EOF") == .unreachable)
    }

    @Test("references and versions of marks are refused")
    func references() {
        let isQuick = HostileText.isQuick {
            #expect(ImageReference(parsing: "a/" + marks) == nil && EngineAPIVersion("1." + marks) == nil)
        }
        #expect(isQuick)
        #expect(ImageReference(parsing: "a\u{301}/b") == nil && ImageReference(parsing: "a:\u{301}1") == nil)
        #expect(ImageReference(parsing: "a@sha256:\u{301}" + String(repeating: "0", count: 64)) == nil)
    }
}
