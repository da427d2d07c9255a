import Logging
import NIOCore
import NIOPosix

/// Passes on the data of a descriptor that delivers records of the kernel, such as signalfd(2) and inotify(7).
///
/// Reads go into buffers of a fixed 4 KiB: NIO's own allocator would grow them for bursts and keep them so.
final class DescriptorReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let name: String
    private let logger: Logger
    private let onBytes: (ByteBuffer) -> Void

    private init(name: String, logger: Logger, onBytes: @escaping (ByteBuffer) -> Void) {
        self.name = name
        self.logger = logger
        self.onBytes = onBytes
    }

    /// Reads `descriptor`, which the channel owns from now on, and calls `onBytes` on the loop. `name` is for the log.
    static func start(
        _ descriptor: Int32,
        name: String,
        on loop: any EventLoop,
        logger: Logger,
        onBytes: @escaping @Sendable (ByteBuffer) -> Void
    ) -> EventLoopFuture<any Channel> {
        NIOPipeBootstrap(group: loop)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 4096))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        DescriptorReader(name: name, logger: logger, onBytes: onBytes)
                    )
                }
            }
            .takingOwnershipOfDescriptor(input: descriptor)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        onBytes(unwrapInboundIn(data))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        logger.error("\(name) can no longer be read: \(error)")
        context.close(promise: nil)
    }
}
