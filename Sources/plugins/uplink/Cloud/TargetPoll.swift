import JSON
import LinuxSupport
import NIOHTTP1
import UnixHTTP

/// Asks the service for what the device should run, and hands it over as a file.
///
/// One poll at a time: the caller sees to that.
struct TargetPoll: Sendable {
    /// Of the service's protocol. The second one is the supervisor's own format; the third is converted to it.
    private enum Format: String {
        case v2, v3
    }

    private var format = Format.v2
    /// Of the last 200, in memory only: after a start the first answer is a whole one.
    private var tag: String?
    /// The bytes that the file has.
    private var handedOver: [UInt8]?
    private let file: TargetHandOver

    init(_ file: TargetHandOver) {
        self.file = file
    }

    /// Returns whether there is another target than before.
    mutating func poll(_ identity: Identity, _ client: CloudClient) async throws(CloudError) -> Bool {
        var answer = try await ask(identity, client)
        if answer.status == 404, format == .v2 {
            format = .v3
            answer = try await ask(identity, client)
        }
        switch answer.status {
        case 200: break
        case 304: return false
        default: throw CloudError(answer, from: client.server, attempting: "name the target")
        }
        let bytes = try target(in: answer.body, identity, client)
        let isChanged = bytes != handedOver
        if isChanged {
            try await file.write(bytes)
            handedOver = bytes
        }
        // Only now: a target that could not be handed over is fetched again.
        tag = answer.headers.first(name: "ETag").flatMap { $0.utf8.count <= 256 ? $0 : nil }
        return isChanged
    }

    private func ask(_ identity: Identity, _ client: CloudClient) async throws(CloudError) -> UnixHTTPResponse {
        var headers: HTTPHeaders = [:]
        if let tag { headers.add(name: "If-None-Match", value: tag) }
        return try await client.request(
            .GET,
            "/device/\(format.rawValue)/\(identity.uuid)/state",
            key: identity.deviceKey,
            headers: headers
        )
    }

    private func target(
        in body: [UInt8],
        _ identity: Identity,
        _ client: CloudClient
    ) throws(CloudError) -> [UInt8] {
        let json: JSONValue
        do throws(JSONParseError) {
            json = try JSONValue(parsing: body, limits: .init(size: CloudClient.answerLimit))
        } catch {
            throw CloudError(.malformedAnswer, "\(client.server) answered with a target that is not JSON: \(error)")
        }
        switch format {
        case .v2:
            // What is wrong with its content is the supervisor's to say; it keeps the former target then.
            guard let local = json["local"], local.objectValue != nil else {
                throw CloudError(.malformedAnswer, "\(client.server) answered with a target without \"local\"")
            }
            return local.encoded()
        case .v3:
            guard let device = json[identity.uuid]?.objectValue else {
                throw CloudError(.malformedAnswer, "\(client.server) answered with the target of another device")
            }
            return TargetConversion.v2(fromV3: device).encoded()
        }
    }
}
