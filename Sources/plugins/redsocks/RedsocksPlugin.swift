import Glibc
import SupervisorPluginAPI
import SupervisorVersion

@main
struct RedsocksPlugin: Plugin {
    static let name = "redsocks"
    static let version = Version.text
    static let summary = "Sends the host's traffic through a proxy with redsocks."

    private let proxy: Proxy
    private let program: String

    init(_ context: PluginContext) async throws(PluginError) {
        let options = try Proxy.Options(settings: context.settings)
        program = options.check.program
        proxy = Proxy(options, Systemd())
    }

    var handlers: [PluginHandler] {
        PluginHandler(ProxyGet.self) { [proxy] _ throws(PluginError) in ProxyGet.Reply(proxy: try await proxy.get()) }
        PluginHandler(ProxySet.self) { [proxy] settings throws(PluginError) in
            try await proxy.set(settings)
            return EmptyPayload()
        }
        PluginHandler(ProxyClear.self) { [proxy] _ throws(PluginError) in
            try await proxy.clear()
            return EmptyPayload()
        }
    }

    func readiness() async -> PluginPing.Reply {
        guard access(program, X_OK) != 0 else { return PluginPing.Reply(isReady: true) }
        return PluginPing.Reply(isReady: false, reason: "\(program): \(String(cString: strerror(errno)))")
    }
}

extension Proxy.Options {
    /// Of [Settings] of the manifest. Throws `invalidArgument` that names the key.
    init(settings: [String: String]) throws(PluginError) {
        let folder = "/etc/device-supervisor/proxy"
        guard let configuration = ProxyFileNames.Name(settings["ConfigFile"] ?? "\(folder)/redsocks.conf") else {
            throw PluginError(.invalidArgument, "ConfigFile is not the absolute path of a file")
        }
        guard let noProxy = ProxyFileNames.Name(settings["NoProxyFile"] ?? "\(folder)/no_proxy") else {
            throw PluginError(.invalidArgument, "NoProxyFile is not the absolute path of a file")
        }
        guard configuration != noProxy else {
            throw PluginError(.invalidArgument, "ConfigFile and NoProxyFile are the same file")
        }
        let program = settings["Program"] ?? "/usr/sbin/redsocks"
        guard program.utf8.first == UInt8(ascii: "/") else {
            throw PluginError(.invalidArgument, "Program is not an absolute path")
        }
        let unit = settings["Unit"] ?? "redsocks.service"
        guard unit.hasSuffix(".service"), unit.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != 0x2F }) else {
            throw PluginError(.invalidArgument, "Unit is not the name of a service unit")
        }
        let group = settings["Group"] ?? "redsocks"
        self.init(
            files: ProxyFileNames(
                configuration: configuration,
                noProxy: noProxy,
                group: getgrnam(group)?.pointee.gr_gid
            ),
            check: RedsocksCheck(program: program),
            unit: unit,
            user: settings["User"] ?? "redsocks",
            group: group
        )
    }
}
