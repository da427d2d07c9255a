import NIOConcurrencyHelpers
import NIOCore

/// Notices that the other end of a connection has closed it, or at least its own direction.
///
/// One for each connection; a request that takes long has itself cancelled by it. Hummingbird's own way to that closes the
/// connection after the answer.
final class CallerWatch: ChannelInboundHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = NIOAny

    private struct State {
        var isGone = false
        var action: (@Sendable () -> Void)?
    }

    private let state = NIOLockedValueBox(State())

    /// Runs an operation, which is cancelled when the caller goes away.
    func whileThere<Value: Sendable>(
        _ operation: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let task = Task { try await operation() }
        let isGone = state.withLockedValue { state in
            if !state.isGone { state.action = { task.cancel() } }
            return state.isGone
        }
        if isGone { task.cancel() }
        defer { state.withLockedValue { $0.action = nil } }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { note() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        note()
        context.fireChannelInactive()
    }

    private func note() {
        let action = state.withLockedValue { state in
            state.isGone = true
            return state.action
        }
        action?()
    }
}
