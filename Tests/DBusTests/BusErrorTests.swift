import SupervisorPluginAPI
import Testing

@testable import DBus

struct BusErrorTests {
    @Test(
        arguments: [
            ("AccessDenied", .permissionDenied), ("InteractiveAuthorizationRequired", .permissionDenied),
            ("AuthFailed", .permissionDenied), ("ServiceUnknown", .unavailable), ("NameHasNoOwner", .unavailable),
            ("NoServer", .unavailable), ("Disconnected", .unavailable), ("FileNotFound", .unavailable),
            ("Spawn.ExecFailed", .unavailable), ("Spawn.ServiceNotFound", .unavailable), ("NoReply", .timeout),
            ("Timeout", .timeout), ("TimedOut", .timeout), ("InvalidArgs", .invalidArgument), ("Failed", .failed),
            ("UnknownMethod", .failed), ("LimitsExceeded", .failed),
        ] as [(String, PluginError.Reason)]
    )
    func aNameHasItsReason(name: String, reason: PluginError.Reason) {
        let error = BusError(name: "org.freedesktop.DBus.Error.\(name)", message: "No.").pluginError(doing: "reboot")
        #expect(error.reason == reason)
        #expect(error.message == "cannot reboot: No.")
        #expect(error.source == "org.freedesktop.DBus.Error.\(name)")
    }

    @Test(arguments: [BusError.disconnected, BusError.noReply, BusError.timeout])
    func whatMayHaveBeenDoneIsATimeOut(name: String) {
        let error = BusError(name: name, message: "gone", mayHaveBeenDone: true).pluginError(doing: "reboot")
        #expect(error.reason == .timeout)
        #expect(error.message == "cannot reboot: gone; it may have been done nevertheless")
    }

    @Test func aCancelledCallIsCancelledForTheCoreToo() {
        let error = BusError(name: BusError.cancelled, message: "").pluginError(doing: "reboot")
        #expect(error.code == .cancelled)
        #expect(error.reason == nil)
    }
}
