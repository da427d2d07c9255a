import ArgumentParser
import Foundation
import FoundationNetworking
import JSON

struct DeployCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deploy",
        abstract: "Makes a release from a target file and activates it."
    )

    @OptionGroup var remote: RemoteOptions
    @Option(name: .customLong("app"), help: "The name or number of the application.") var application: String
    @Flag(help: "Makes the release and leaves the active one as it is.") var noActivate = false
    @Argument(help: "A target state with one application, as JSON.") var file: String

    func run() async throws {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw ValidationError("\(file) cannot be read")
        }
        let name = application.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? application
        let query = noActivate ? "?activate=no" : ""
        let request = try remote.request("PUT", "/api/v1/applications/\(name)/target\(query)", [UInt8](data))
        let (status, body) = try await remote.send(request)
        let value = try? JSONValue(parsing: body)
        guard status == 200 || status == 201, let commit = value?["commit"]?.stringValue else {
            throw ValidationError(value?["error"]?.stringValue ?? "the service answered \(status)")
        }
        print(commit)
    }
}
