import NIOCore
import NIOPosix

extension ServerBootstrap {
    /// What the listeners of the API and of the control socket have in common.
    ///
    /// - Parameter admit: makes the pipeline of an accepted connection; it is closed where this throws. Called on the
    ///   event loop.
    convenience init(for entryPoint: EntryPoint, admit: @escaping @Sendable (EntryPoint, any Channel) throws -> Void) {
        let entryPoint = NIOLoopBound(entryPoint, eventLoop: entryPoint.state.loop)
        self.init(group: entryPoint.value.state.loop)
        _ = serverChannelOption(.backlog, value: 1024)
            // Where a crowd fills the queue, a client behind it must not wait for its requests: those that are large wait
            // once they have been accepted.
            .serverChannelOption(.maxMessagesPerRead, value: 64)
            .serverChannelInitializer { channel in
                // Without free descriptors, accept(2) would fail again and again at once.
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptBackoffHandler())
                }
            }
            // A client may close its side and still read its answer.
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            // One read at a time, so that a client which sends more than it should is noticed in between.
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 4096))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try admit(entryPoint.value, channel) }
            }
    }
}
