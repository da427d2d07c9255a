import DBus
import SupervisorPluginAPI

/// Failures of hostnamed in words.
enum HostnameFailure {
    static let action = "set the host's name"

    static func setting(_ error: BusError) -> PluginError {
        var result = error.pluginError(doing: action)
        switch error.name {
        // What systemd 252 answers, and the plain errno of others.
        case "org.freedesktop.hostname1.ReadOnlyFilesystem", "System.Error.EROFS":
            result.message = "cannot \(action): /etc is read-only on this host"
            result.detail = error.message
        case "org.freedesktop.hostname1.FileIsProtected":
            result.message = "cannot \(action): /etc/hostname is protected on this host"
            result.detail = error.message
        case BusError.interactiveAuthorizationRequired, BusError.accessDenied:
            result.message =
                "cannot \(action): the host's policy refuses org.freedesktop.hostname1.set-static-hostname to this plugin"
            result.detail = error.message
        default: break
        }
        return result
    }
}
