import Glibc
import LinuxSupport
import SupervisorPluginAPI

extension SystemCallError {
    var pluginError: PluginError {
        PluginError(
            code == EACCES || code == EPERM ? .permissionDenied : .failed,
            "cannot \(call) \(path): \(reason)"
        )
    }
}
