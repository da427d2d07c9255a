public import SupervisorPluginAPI

extension BusError {
    /// The same failure as an error of the plugin protocol. `action` completes "cannot …", such as "reboot".
    ///
    /// If the request may have been carried out without a confirmation, the error is a time-out, whatever the cause:
    /// callers must not take it for a refusal.
    public func pluginError(doing action: String) -> PluginError {
        if name == Self.cancelled {
            return PluginError(code: .cancelled, "cancelled while trying to \(action)")
        }
        let reason = mayHaveBeenDone ? .timeout : Self.reason(of: name)
        let doubt = mayHaveBeenDone ? "; it may have been done nevertheless" : ""
        return PluginError(reason, "cannot \(action): \(message)\(doubt)", source: name)
    }

    static func reason(of name: String) -> PluginError.Reason {
        switch name {
        case accessDenied, interactiveAuthorizationRequired, authFailed: .permissionDenied
        case serviceUnknown, nameHasNoOwner, noServer, disconnected, fileNotFound: .unavailable
        // What systemd answers for a service that the bus would have started.
        case "org.freedesktop.systemd1.NoSuchUnit", "org.freedesktop.systemd1.UnitMasked": .unavailable
        case noReply, timeout, timedOut: .timeout
        case invalidArgs: .invalidArgument
        default: name.hasPrefix("org.freedesktop.DBus.Error.Spawn.") ? .unavailable : .failed
        }
    }
}
