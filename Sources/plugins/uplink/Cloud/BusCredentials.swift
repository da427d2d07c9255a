import JSON
import LinuxSupport
import NIOHTTP1
import SupervisorPorts
import UnixHTTP

/// What the device logs in to the bus with, and where.
struct BusCredentials: Sendable {
    var jwt: String
    /// Addresses of the bus, such as "wss://api.example.com/bus".
    var servers: [String]
    /// The service's time when it answered, in milliseconds since 1970.
    var time: Int64
    /// When new ones are to be asked for.
    var renewAfter: Duration
    /// Our clock before the request and after the answer.
    var sent: Duration
    var received: Duration

    /// Asks for credentials for a key of the bus ("U…").
    static func request(
        publicKey: String,
        identity: Identity,
        client: CloudClient,
        clock: any SupervisorClock
    ) async throws(CloudError) -> BusCredentials {
        let sent = clock.now
        let body: JSONValue = ["nkey": .string(publicKey)]
        let answer = try await client.request(.POST, "/bus/v1/credentials", key: identity.deviceKey, body: body)
        guard answer.isSuccess else {
            throw CloudError(answer, from: client.server, attempting: "let the device onto the bus")
        }
        guard let json = try? JSONValue(parsing: answer.body), let jwt = json["jwt"]?.stringValue,
            (1...16_384).contains(jwt.utf8.count), jwt.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
            let servers = json["servers"]?.arrayValue?.compactMap(\.plainValue), !servers.isEmpty,
            let time = ServiceClock.moment(json["time"]), let seconds = json["renewAfterSec"]?.integerValue, seconds > 0
        else { throw CloudError(.malformedAnswer, "\(client.server) answered without usable credentials for the bus") }
        return BusCredentials(
            jwt: jwt,
            servers: Array(servers.prefix(16)),
            time: time,
            renewAfter: .seconds(min(seconds, 86_400)),
            sent: sent,
            received: clock.now
        )
    }
}
