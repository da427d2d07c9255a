import JSON
import LinuxSupport
import NIOCore
import SupervisorEventLoop
import SupervisorPluginAPI
import SupervisorVersion

/// One connection of the supervisor, which speaks the plugin protocol. The SDK's own session ends its process with the
/// connection; this one goes on, because the way to the outside must outlive the supervisor. On the event loop only.
final class PluginConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        case new
        case handshake
        case accepted
    }

    private let service: PluginService
    private var splitter = FrameSplitter()
    private var phase = Phase.new
    private var context: ChannelHandlerContext?
    private var calls: [RequestID: Task<Void, Never>] = [:]

    init(_ service: PluginService) {
        self.service = service
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        service.joined(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) { leave() }
    func channelInactive(context: ChannelHandlerContext) { leave() }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func leave() {
        guard context != nil else { return }
        context = nil
        service.left(self)
        for call in calls.values { call.cancel() }
        calls = [:]
    }

    func notify(_ frame: Frame) {
        if phase == .accepted { write(frame) }
    }

    private func write(_ frame: Frame) {
        guard let context else { return }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: frame.encoded())), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        var lines: [Result<[UInt8], FrameError>] = []
        splitter.append(bytes.readableBytesView) { lines.append($0) }
        for line in lines { receive(line) }
    }

    private func receive(_ line: Result<[UInt8], FrameError>) {
        let frame: Frame
        do throws(FrameError) {
            frame = try Frame(parsing: try line.get())
        } catch {
            let code: PluginError.Code = error.kind == .parse ? .parseError : .invalidRequest
            return write(.failure(id: error.id, PluginError(code: code, error.reason)))
        }
        switch frame {
        case .request(let id, let method, let parameters):
            do throws(PluginError) {
                try receive(id, method, parameters)
            } catch {
                write(.failure(id: id, error))
            }
        case .notification(let method, let parameters): receive(method, parameters)
        case .result, .failure: break
        }
    }

    private func receive(_ id: RequestID, _ method: String, _ parameters: JSONObject) throws(PluginError) {
        guard calls[id] == nil else { throw PluginError(code: .invalidRequest, "a call with this id is under way") }
        switch method {
        case PluginInitialize.name:
            guard phase == .new else { throw PluginError(code: .invalidRequest, "initialized already") }
            let given = try PluginInitialize.Parameters(json: parameters)
            guard given.protocolVersions.contains(PluginProtocol.version) else {
                throw PluginError(code: .unsupportedVersion, "this plugin speaks version \(PluginProtocol.version)")
            }
            phase = .handshake
            let reply = PluginInitialize.Reply(
                protocolVersion: PluginProtocol.version,
                pluginName: "uplink",
                pluginVersion: Version.text,
                operations: service.operations.map { .init(name: $0.name, isIdempotent: $0.isIdempotent) }
            )
            write(.result(id: id, .object(reply.json)))
        case PluginPing.name:
            write(.result(id: id, .object(PluginPing.Reply(isReady: true).json)))
        case PluginShutdown.name:
            write(.result(id: id, [:]))
            context?.close(promise: nil)
        default:
            guard phase == .accepted else {
                throw PluginError(code: .notInitialized, "\(method) before the handshake is complete")
            }
            guard let operation = service.operations.first(where: { $0.name.isExactly(method) }) else {
                throw PluginError(code: .methodNotFound, "unknown method \(method.cut(toBytes: 100))")
            }
            guard calls.count < PluginProtocol.maximumCalls else {
                throw PluginError(.busy, "\(PluginProtocol.maximumCalls) calls are under way")
            }
            call(id, operation, parameters)
        }
    }

    private func receive(_ method: String, _ parameters: JSONObject) {
        switch method {
        case PluginInitialized.name:
            guard phase == .handshake, let outcome = try? PluginInitialized(json: parameters) else { return }
            guard outcome.isAccepted else {
                PluginLog.error("refused by the supervisor: \(outcome.reason ?? "no reason given")")
                return
            }
            phase = .accepted
            if let greeting = service.greeting() { write(greeting) }
        case PluginCancel.name:
            if let id = (try? PluginCancel(json: parameters))?.id { calls[id]?.cancel() }
        case PluginShutdown.name: context?.close(promise: nil)
        default: break
        }
    }

    private func call(_ id: RequestID, _ operation: PluginService.Entry, _ parameters: JSONObject) {
        let bound = LoopBound(self, service.executor)
        calls[id] = Task(executorPreference: service.executor) {
            let frame: Frame
            do throws(PluginError) {
                frame = .result(id: id, .object(try await operation.body(parameters)))
            } catch {
                frame = .failure(id: id, error)
            }
            bound.value.calls[id] = nil
            bound.value.write(frame)
        }
    }
}
