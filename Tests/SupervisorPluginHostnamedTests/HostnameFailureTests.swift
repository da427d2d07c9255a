import DBus
import SupervisorPluginAPI
import Testing

@testable import supervisor_plugin_hostnamed

struct HostnameFailureTests {
    @Test(arguments: ["org.freedesktop.hostname1.ReadOnlyFilesystem", "System.Error.EROFS"])
    func aReadOnlyEtcIsSaidInWords(name: String) {
        let error = HostnameFailure.setting(BusError(name: name, message: "Failed: Read-only file system"))
        #expect(error.message == "cannot set the host's name: /etc is read-only on this host")
        #expect(error.reason == .failed)
        #expect(!error.isRetryable)
        #expect(error.detail == "Failed: Read-only file system")
        #expect(error.source == name)
    }

    @Test(arguments: [BusError.accessDenied, BusError.interactiveAuthorizationRequired])
    func aPolicyIsNamed(name: String) {
        let error = HostnameFailure.setting(BusError(name: name, message: "Access denied"))
        #expect(error.reason == .permissionDenied)
        #expect(
            error.message == "cannot set the host's name: the host's policy refuses "
                + "org.freedesktop.hostname1.set-static-hostname to this plugin"
        )
    }

    @Test func anythingElseIsQuoted() {
        let error = HostnameFailure.setting(BusError(name: "System.Error.ENOSPC", message: "No space left on device"))
        #expect(error.message == "cannot set the host's name: No space left on device")
        #expect(error.reason == .failed)
    }
}
