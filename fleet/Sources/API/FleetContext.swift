import Hummingbird
import HummingbirdCore
import NIOCore

/// What Hummingbird hands on with a request: the connection it came by.
struct FleetContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    var remoteAddress: SocketAddress? { channel.remoteAddress }

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }
}
