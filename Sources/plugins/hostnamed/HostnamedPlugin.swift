import DBus
import SupervisorPluginAPI
import SupervisorVersion

@main
struct HostnamedPlugin: Plugin {
    static let name = "hostnamed"
    static let version = Version.text
    static let summary = "Reads and sets the host's name through org.freedesktop.hostname1."

    private let bus: SystemBus
    private let hostname1: Hostname1

    init(_ context: PluginContext) async throws(PluginError) {
        bus = SystemBus()
        hostname1 = Hostname1(bus: bus)
    }

    var handlers: [PluginHandler] {
        PluginHandler(HostnameGet.self) { _ throws(PluginError) in
            do throws(BusError) {
                return HostnamePayload(hostname: try await hostname1.staticHostname())
            } catch {
                throw error.pluginError(doing: "read the host's name")
            }
        }
        PluginHandler(HostnameSet.self) { request throws(PluginError) in
            guard let hostname = Hostname(request.hostname) else {
                throw PluginError(.invalidArgument, "hostname must consist of \(Hostname.allowed)")
            }
            do throws(BusError) {
                guard try await hostname1.staticHostname() != hostname.text else { return EmptyPayload() }
                PluginLog.notice("setting the host's name to \(hostname.text)")
                try await hostname1.setStaticHostname(hostname.text)
            } catch {
                throw HostnameFailure.setting(error)
            }
            return EmptyPayload()
        }
    }

    func readiness() async -> PluginPing.Reply {
        await bus.readiness()
    }

    func shutdown() async {
        await bus.disconnect()
    }
}
