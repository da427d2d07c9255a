import ArgumentParser
import Foundation
import FoundationNetworking
import JSON

struct CallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "call",
        abstract: "Sends a command to one device, or to all devices of an application, and shows each result.",
        discussion: """
            supervisor-fleet call UUID POST /v1/blink
            supervisor-fleet call --app kiosk POST /v1/reboot '{"force":true}'
            """
    )

    @OptionGroup var remote: RemoteOptions
    @Option(name: .customLong("app"), help: "The number of the application, instead of a UUID.") var application: Int64?
    @Argument(help: "[UUID] METHOD URL [JSON]") var words: [String]

    func run() async throws {
        var words = words[...]
        var body = JSONObject()
        if let application {
            body["appId"] = .integer(application)
        } else {
            guard let uuid = words.popFirst() else { throw ValidationError("a UUID or --app must be given") }
            body["uuid"] = .string(uuid)
        }
        guard (2...3).contains(words.count), let method = words.popFirst(), let url = words.popFirst() else {
            throw ValidationError("METHOD and URL must be given, and at most one JSON object after them")
        }
        guard CommandPath.isValid(url) else { throw ValidationError("\(url) is not a path such as /v1/blink") }
        body["method"] = .string(method)
        if let text = words.popFirst() {
            do { body["data"] = try JSONValue(parsing: text) } catch {
                throw ValidationError("\(text) is not valid JSON: \(error)")
            }
        }
        var request = try remote.request("POST", "/supervisor\(url)", JSONValue.object(body).encoded())
        request.setValue("application/x-ndjson", forHTTPHeaderField: "Accept")
        let (status, answer) = try await remote.send(request)
        guard status == 200 else {
            let value = try? JSONValue(parsing: answer)
            let reason = value?.stringValue ?? value?["error"]?.stringValue
            throw ValidationError(reason ?? "the service answered \(status)")
        }
        var table = TextTable(["UUID", "STATUS", "ANSWER"])
        var hasFailed = false
        for line in answer.split(separator: UInt8(ascii: "\n")) {
            guard let value = try? JSONValue(parsing: line), let uuid = value["uuid"]?.stringValue else { continue }
            let code = value["statusCode"]?.integerValue ?? 0
            hasFailed = hasFailed || !(200...299).contains(code)
            table.add([uuid, String(code), value["body"]?.text ?? ""])
        }
        print(table.text, terminator: "")
        if hasFailed { throw ExitCode(1) }
    }
}
