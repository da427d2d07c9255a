import LinuxSupport
import Logging
import NIOCore
import NIOHTTP1

/// One line in the log for each answer.
struct AccessLog {
    let logger: Logger
    /// What the log calls the client; its address where nil.
    let peer: String?

    func write(_ response: Response, to exchange: Exchange, from address: @autoclosure () -> SocketAddress?) {
        let level: Logger.Level = exchange.route?.isNotable == true ? .info : .debug
        guard logger.logLevel <= level else { return }
        let milliseconds = (NIODeadline.now() - exchange.started).nanoseconds / 1_000_000
        let client = peer ?? address().map { "\($0.ipAddress ?? "-"):\($0.port ?? 0)" } ?? "-"
        var metadata: Logger.Metadata = ["request-id": "\(exchange.id)", "peer": "\(client)"]
        if let actor = exchange.actor { metadata["actor"] = "\(APIText.onOneLine(actor.cut(toBytes: 128)))" }
        logger.log(
            level: level,
            "\(exchange.method) \(APIText.onOneLine(exchange.path)) \(response.status.code) in \(milliseconds) ms",
            metadata: metadata
        )
    }
}
