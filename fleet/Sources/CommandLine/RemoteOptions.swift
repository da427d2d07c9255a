import ArgumentParser
import Foundation
import FoundationNetworking
import JSON

/// For the commands that speak with a service over HTTP.
struct RemoteOptions: ParsableArguments {
    @Option(help: "The address of the service.") var server = "http://127.0.0.1:8420"
    @Option(help: "The file with the token; by default ~/.config/supervisor-fleet/token.") var tokenFile: String?

    /// A request with the token. The token is in a file, so that no list of processes shows it.
    func request(_ method: String, _ path: String, _ body: [UInt8]?) throws -> URLRequest {
        let file = tokenFile ?? NSHomeDirectory() + "/.config/supervisor-fleet/token"
        guard let data = FileManager.default.contents(atPath: file) else {
            throw ValidationError("the token cannot be read from \(file); --token-file names another file")
        }
        guard let url = URL(string: server + path) else { throw ValidationError("\(server) is not an address") }
        let token = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        var request = URLRequest(url: url, timeoutInterval: 75)
        request.httpMethod = method
        request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization")
        if let body {
            request.setValue("application/json", forHTTPHeaderField: "Content-Type")
            request.httpBody = Data(body)
        }
        return request
    }

    func send(_ request: URLRequest) async throws -> (status: Int, body: [UInt8]) {
        do {
            let (data, response) = try await URLSession.shared.data(for: request)
            return ((response as? HTTPURLResponse)?.statusCode ?? 0, [UInt8](data))
        } catch {
            throw ValidationError("\(server): \(error.localizedDescription)")
        }
    }
}
