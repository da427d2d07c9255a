import CLinux
import Glibc
public import Logging
public import NIOCore
import NIOPosix

/// Reports changes of the machine's network interfaces: one appears or disappears, is switched on or off, gets or loses
/// an address.
///
/// Listens to rtnetlink(7), and takes each message as a reason to ask the kernel for everything; so nothing is missed
/// when messages are lost, and none is interpreted. Lives on its event loop: create and call it there.
public final class InterfaceMonitor {
    private let loop: any EventLoop
    private let logger: Logger
    private let onChange: (InterfaceSnapshot) -> Void
    private var channel: (any Channel)?
    private var pending: Scheduled<Void>?
    private var isStopped = false

    /// What is known of the interfaces.
    public private(set) var snapshot: InterfaceSnapshot

    /// Messages come in bursts: a container that starts is a dozen.
    private static let settlingTime = TimeAmount.milliseconds(100)
    /// Between two attempts to listen.
    private static let retryTime = TimeAmount.seconds(5)

    /// - Parameter onChange: called on the loop with the interfaces after each change, not with the present ones.
    public init(loop: any EventLoop, logger: Logger, onChange: @escaping (InterfaceSnapshot) -> Void) {
        loop.preconditionInEventLoop()
        self.loop = loop
        self.logger = logger
        self.onChange = onChange
        snapshot = InterfaceSnapshot.read()
    }

    /// Begins to listen; what cannot be opened now is tried again.
    public func start() {
        guard !isStopped, channel == nil else { return }
        let descriptor = Self.open()
        guard descriptor >= 0 else {
            logger.error("changes of network interfaces cannot be watched: \(String(cString: strerror(errno)))")
            schedule(in: Self.retryTime) { $0.start() }
            return
        }
        let monitor = NIOLoopBound(self, eventLoop: loop)
        NIOPipeBootstrap(group: loop)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 4096))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(MessageHandler(monitor.value))
                }
            }
            .takingOwnershipOfDescriptor(input: descriptor)
            .assumeIsolated()
            .whenComplete { [self] result in opened(result, descriptor) }
    }

    /// No call of `onChange` comes after this.
    public func stop() {
        isStopped = true
        pending?.cancel()
        pending = nil
        channel?.close(promise: nil)
        channel = nil
    }

    private func opened(_ result: Result<any Channel, any Error>, _ descriptor: CInt) {
        switch result {
        case .success(let channel) where isStopped:
            channel.close(promise: nil)
        case .success(let channel):
            self.channel = channel
            // Between the last reading and the first message something may have changed.
            messageArrived()
        case .failure(let error):
            close(descriptor)
            logger.error("changes of network interfaces cannot be watched: \(error)")
            schedule(in: Self.retryTime) { $0.start() }
        }
    }

    fileprivate func messageArrived() {
        guard pending == nil else { return }
        schedule(in: Self.settlingTime) { $0.readAgain() }
    }

    fileprivate func channelEnded() {
        channel = nil
        guard !isStopped else { return }
        pending?.cancel()
        schedule(in: Self.retryTime) { $0.start() }
    }

    private func readAgain() {
        let now = InterfaceSnapshot.read()
        guard now != snapshot else { return }
        snapshot = now
        onChange(now)
    }

    private func schedule(in time: TimeAmount, _ body: @escaping (InterfaceMonitor) -> Void) {
        guard !isStopped else { return }
        pending = loop.assumeIsolated().scheduleTask(in: time) { [weak self] in
            guard let self else { return }
            self.pending = nil
            body(self)
        }
    }

    /// A socket of netlink(7) that hears of links and addresses, or -1 with errno.
    private static func open() -> CInt {
        let type = CInt(SOCK_RAW.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_NETLINK, type, NETLINK_ROUTE)
        guard descriptor >= 0 else { return -1 }
        // An overflow is no error for us: what is still in the buffer leads to a reading, which comes after the loss.
        var yes: CInt = 1
        setsockopt(descriptor, SOL_NETLINK, NETLINK_NO_ENOBUFS, &yes, socklen_t(MemoryLayout<CInt>.size))
        var address = sockaddr_nl()
        address.nl_family = sa_family_t(AF_NETLINK)
        address.nl_groups = UInt32(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR)
        let length = socklen_t(MemoryLayout<sockaddr_nl>.size)
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        }
        guard bound == 0 else {
            let code = errno
            close(descriptor)
            errno = code
            return -1
        }
        return descriptor
    }
}

/// Notices that there are messages; what they say is thrown away.
private final class MessageHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let monitor: InterfaceMonitor

    init(_ monitor: InterfaceMonitor) {
        self.monitor = monitor
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        monitor.messageArrived()
    }

    func channelInactive(context: ChannelHandlerContext) {
        monitor.channelEnded()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
