import Glibc
import LinuxSupport
import NIOCore
import NIOPosix
import SupervisorCore
import SupervisorPluginAPI
import SupervisorPorts

/// Receives the events of a connection. Called on the event loop.
protocol PluginConnectionDelegate: AnyObject {
    /// The handshake is through; calls may be sent.
    func connectionIsReady(_ connection: PluginConnection)
    /// Frames may be sent again, or a call has been answered: waiting calls may have a turn.
    func connectionHasRoom(_ connection: PluginConnection)
    func connection(_ connection: PluginConnection, notified method: String, _ parameters: JSONObject)
    /// plugin.shutdown has been answered.
    func connectionIsShutDown(_ connection: PluginConnection)
    /// The plugin broke the protocol. The connection is closed; `connectionIsClosed` does not follow.
    func connection(_ connection: PluginConnection, failedBecause reason: String)
    /// The other side, or the core, has closed.
    func connectionIsClosed(_ connection: PluginConnection)
    /// Those who want to see each frame.
    var recorders: [FrameRecorder] { get }
}

/// One connection to a plugin: frames in and out, the handshake, calls under way with their deadlines. The last handler of
/// its channel; lives on the event loop.
///
/// Life: `open`, handshake, `connectionIsReady`, calls, and one of `failedBecause` and `connectionIsClosed`.
final class PluginConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        case opening, initializing, ready, shuttingDown, over
    }

    /// What a plugin has not read yet before further calls wait for it.
    private static let writeLimits = ChannelOptions.Types.WriteBufferWaterMark(low: 16 << 10, high: 64 << 10)

    private let manifest: PluginManifest
    private let greeting: PluginInitialize.Parameters
    private let clock: any SupervisorClock
    private weak var delegate: (any PluginConnectionDelegate)?
    private var channel: (any Channel)?
    private var phase = Phase.opening
    private var splitter = FrameSplitter()
    private var budget = NotificationBudget()
    private var handshakeID: Int64?
    private var shutdownID: Int64?
    private(set) var table = RequestTable<PluginCall>()
    /// Whether each operation is idempotent, as the plugin says.
    private(set) var operations: [String: Bool] = [:]
    private(set) var version: String?

    private init(
        manifest: PluginManifest,
        greeting: PluginInitialize.Parameters,
        clock: any SupervisorClock,
        delegate: any PluginConnectionDelegate
    ) {
        self.manifest = manifest
        self.greeting = greeting
        self.clock = clock
        self.delegate = delegate
    }

    /// Takes over `descriptor`, a connected unix socket, and begins the handshake. Must be called on the loop.
    static func open(
        _ descriptor: Int32,
        manifest: PluginManifest,
        greeting: PluginInitialize.Parameters,
        clock: any SupervisorClock,
        on loop: any EventLoop,
        delegate: any PluginConnectionDelegate
    ) -> PluginConnection {
        let connection = PluginConnection(manifest: manifest, greeting: greeting, clock: clock, delegate: delegate)
        let bound = NIOLoopBound(connection, eventLoop: loop)
        ClientBootstrap(group: loop)
            .channelOption(.autoRead, value: false)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 8192))
            .channelOption(.writeBufferWaterMark, value: writeLimits)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    bound.value.channel = channel
                    try channel.pipeline.syncOperations.addHandler(bound.value)
                }
            }
            .withConnectedSocket(descriptor)
            .assumeIsolated()
            .whenFailure { error in connection.fail("has a broken connection: \(error)") }
        return connection
    }

    var isReady: Bool { phase == .ready }

    /// Whether one more call can be sent now.
    var hasRoom: Bool {
        phase == .ready && table.count < PluginProtocol.maximumCalls && channel?.isWritable == true
    }

    /// Whether the call may be sent a second time.
    func isIdempotent(_ call: PluginCall) -> Bool {
        call.contractSaysIdempotent ?? operations[call.operation] ?? false
    }

    // MARK: What the core says

    /// Only while `hasRoom`.
    func send(_ call: PluginCall) {
        guard operations[call.operation] != nil else {
            let message = "\(manifest.name) does not offer \(call.operation) on this device"
            return call.fail(HostOperationError(.notSupported, message))
        }
        let id = table.add(call, operation: call.operation, deadline: call.deadline)
        let frame = Frame.request(id: .number(id), method: call.operation, parameters: call.parameters)
        let bytes = frame.encoded()
        guard bytes.count <= PluginProtocol.maximumFrameSize + 1 else {
            table.remove(id)
            let message = "the parameters are longer than \(PluginProtocol.maximumFrameSize) bytes"
            return call.fail(HostOperationError(.invalidArgument, message))
        }
        call.attempts += 1
        write(frame, bytes)
    }

    /// The caller does not wait any more. Returns whether the call is one of this connection.
    func cancel(_ call: PluginCall) -> Bool {
        guard let id = table.giveUp(where: { $0 === call }) else { return false }
        sendCancel(id)
        return true
    }

    /// Cancels what is overdue, and fails where a plugin is silent about what was cancelled.
    func expire(at now: Duration) {
        for expiry in table.expire(at: now) {
            switch expiry {
            case .overdue(let id, let call):
                sendCancel(id)
                call.fail(
                    HostOperationError(
                        .timeout,
                        "\(manifest.name) has not answered \(call.operation) in time",
                        isOutcomeUnknown: !isIdempotent(call)
                    )
                )
            case .silent(_, let operation):
                return fail("did not answer \(operation) after it was cancelled")
            }
        }
    }

    /// Asks the plugin to finish: it answers when no call is under way any more.
    func shutDown() {
        guard phase == .ready else { return closeInput() }
        phase = .shuttingDown
        let id = table.reserveID()
        shutdownID = id
        write(.request(id: .number(id), method: PluginShutdown.name, parameters: [:]))
    }

    /// The plugin reads the end of its input; what it still says is heard.
    func closeInput() {
        guard phase != .over else { return }
        phase = .shuttingDown
        channel?.close(mode: .output, promise: nil)
    }

    func close() {
        channel?.close(promise: nil)
    }

    /// Those who still wait for an answer that will not come.
    func takeCalls() -> [PluginCall] { table.removeAll() }

    // MARK: The channel

    func channelActive(context: ChannelHandlerContext) {
        guard phase == .opening else { return }
        phase = .initializing
        let id = table.reserveID()
        handshakeID = id
        write(.request(id: .number(id), method: PluginInitialize.name, parameters: greeting.json))
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard phase != .over else { return }
        var lines: [Result<[UInt8], FrameError>] = []
        unwrapInboundIn(data).withUnsafeReadableBytes { bytes in splitter.append(bytes) { lines.append($0) } }
        for line in lines {
            guard phase != .over else { return }
            LoopWatch.shared.run("a frame of the plugin \(manifest.name)") { receive(line) }
        }
    }

    /// The next read is asked for when this one has been dealt with: a plugin that never stops talking has its turn among
    /// the others.
    func channelReadComplete(context: ChannelHandlerContext) {
        if phase != .over { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if hasRoom { delegate?.connectionHasRoom(self) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        guard phase != .over else { return }
        phase = .over
        delegate?.connectionIsClosed(self)
    }

    // MARK: What the plugin says

    private func receive(_ line: Result<[UInt8], FrameError>) {
        let frame: Frame
        let size: Int
        do throws(FrameError) {
            let bytes = try line.get()
            size = bytes.count
            frame = try Frame(parsing: bytes)
        } catch {
            return fail("sent an invalid frame: \(error)")
        }
        record(.fromPlugin, frame)
        switch frame {
        case .result(let id, let value): answer(id, .success(value))
        case .failure(let id?, let error): answer(id, .failure(error))
        case .failure(nil, let error): fail("could not read a frame: \(error.message.cut(toBytes: 200))")
        case .request(_, let method, _):
            fail("called \(method.cut(toBytes: 64).debugDescription); a plugin must not send requests")
        case .notification(let method, let parameters):
            guard budget.spend(size, at: clock.now) else { return fail("sent too many notifications") }
            // Before the handshake it must not send notifications.
            if phase == .ready { delegate?.connection(self, notified: method, parameters) }
        }
    }

    private func answer(_ id: RequestID, _ answer: Result<JSONValue, PluginError>) {
        if let handshakeID, id == .number(handshakeID), phase == .initializing { return greeted(answer) }
        if let shutdownID, id == .number(shutdownID) {
            self.shutdownID = nil
            delegate?.connectionIsShutDown(self)
            return
        }
        switch table.answer(id) {
        case .late: break
        case .unexpected: return fail("answered \(id.description.cut(toBytes: 32)), which is not the id of a request")
        case .awaited(let call):
            switch answer {
            case .success(.object(let result)): call.finish(.success(result))
            case .success:
                let message = "\(manifest.name) answered \(call.operation) with a result that is not an object"
                call.fail(HostOperationError(.failed, message))
            case .failure(let error): call.fail(error, of: manifest.name, isIdempotent: isIdempotent(call))
            }
        }
        delegate?.connectionHasRoom(self)
    }

    private func greeted(_ answer: Result<JSONValue, PluginError>) {
        handshakeID = nil
        let reply: PluginInitialize.Reply
        switch answer {
        case .failure(let error):
            return fail("refused the handshake: \(error.message.cut(toBytes: 500))")
        case .success(let value):
            do throws(PluginError) {
                reply = try PluginInitialize.Reply(json: value.objectValue ?? [:])
            } catch {
                return refuse("its answer to plugin.initialize is wrong: \(error.message)")
            }
        }
        if let reason = Handshake.refusal(of: reply, by: manifest) { return refuse(reason) }
        for operation in reply.operations { operations[operation.name] = operation.isIdempotent }
        version = reply.pluginVersion.cut(toBytes: 64)
        phase = .ready
        write(.notification(method: PluginInitialized.name, parameters: PluginInitialized(isAccepted: true).json))
        delegate?.connectionIsReady(self)
    }

    private func refuse(_ reason: String) {
        let answer = PluginInitialized(isAccepted: false, reason: reason)
        write(.notification(method: PluginInitialized.name, parameters: answer.json))
        fail(reason)
    }

    private func fail(_ reason: String) {
        guard phase != .over else { return }
        phase = .over
        delegate?.connection(self, failedBecause: reason)
        channel?.close(promise: nil)
    }

    // MARK: Frames out

    private func sendCancel(_ id: Int64) {
        write(.notification(method: PluginCancel.name, parameters: PluginCancel(id: .number(id)).json))
    }

    private func write(_ frame: Frame) {
        write(frame, frame.encoded())
    }

    private func write(_ frame: Frame, _ bytes: [UInt8]) {
        guard let channel else { return }
        record(.toPlugin, frame)
        channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
    }

    private func record(_ direction: FrameRecorder.Direction, _ frame: Frame) {
        guard let recorders = delegate?.recorders, !recorders.isEmpty else { return }
        let (json, now) = (frame.json, clock.now)
        for recorder in recorders { recorder.record(direction, json, at: now) }
    }
}
