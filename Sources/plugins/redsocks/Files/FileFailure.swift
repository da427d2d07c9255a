import Glibc
import SupervisorPluginAPI

/// A file that could not be read or written.
struct FileFailure: Error, Hashable {
    /// Such as "write".
    var action: String
    var path: String
    var code: Int32

    init(_ action: String, _ path: String, _ code: Int32 = errno) {
        self.action = action
        self.path = path
        self.code = code
    }

    var pluginError: PluginError {
        PluginError(
            code == EACCES || code == EPERM ? .permissionDenied : .failed,
            "cannot \(action) \(path): \(String(cString: strerror(code)))"
        )
    }
}
