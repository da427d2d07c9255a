import SupervisorCore

/// What is answered within a channel handler: the device runs on the same event loop, so that the handler is inside
/// already. Anywhere else these trap.
extension DeviceAPI {
    nonisolated func acceptsNow(key: String) -> Bool {
        assumeIsolated { $0.accepts(key: key) }
    }

    nonisolated func ailmentNow() -> String? {
        assumeIsolated { $0.ailment() }
    }

    nonisolated func requestUpdateNow(force: Bool) {
        assumeIsolated { $0.requestUpdate(force: force) }
    }

    nonisolated func currentKeyNow() -> String {
        assumeIsolated { $0.currentKey() }
    }
}
