import Hummingbird
import HummingbirdCore
import NIOCore

/// What Hummingbird hands on with a request: the address it came from.
struct FleetContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let remoteAddress: SocketAddress?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        remoteAddress = source.channel.remoteAddress
    }
}
