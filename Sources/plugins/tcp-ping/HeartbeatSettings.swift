import LinuxSupport
import SupervisorPluginAPI

/// [Settings] of the manifest.
struct HeartbeatSettings: Sendable, Hashable {
    var target: PingTarget
    /// From the beginning of an attempt to the beginning of the next.
    var interval: Duration
    /// For an attempt as a whole, the look-up of its name included.
    var timeout: Duration
    /// What is there while the VPN is up.
    var vpnStatus: String?

    /// nil where no target is set. Throws what is wrong with the others.
    init?(_ settings: [String: String]) throws(PluginError) {
        interval = try Self.seconds(settings, "IntervalSec", 1...86400)
        timeout = try Self.seconds(settings, "TimeoutSec", 1...3600)
        if let path = settings["VPNStatus"], !path.isEmpty {
            guard path.hasPrefix("/"), !path.hasSuffix("/"), !path.utf8.contains(0) else {
                throw PluginError(.invalidArgument, "VPNStatus is not the absolute path of a file")
            }
            vpnStatus = path
        }
        guard let text = settings["Target"], !text.isEmpty else { return nil }
        guard let target = PingTarget(text) else {
            throw PluginError(.invalidArgument, "Target is neither HOST:PORT nor [IPV6]:PORT")
        }
        self.target = target
    }

    init(target: PingTarget, interval: Duration, timeout: Duration, vpnStatus: String? = nil) {
        self.target = target
        self.interval = interval
        self.timeout = timeout
        self.vpnStatus = vpnStatus
    }

    private static func seconds(
        _ settings: [String: String],
        _ name: String,
        _ range: ClosedRange<Int>
    ) throws(PluginError) -> Duration {
        guard let text = settings[name], !text.isEmpty else { return .seconds(10) }
        guard text.utf8.allSatisfy(\.isASCIIDigit), let number = Int(text), range.contains(number)
        else {
            throw PluginError(
                .invalidArgument,
                "\(name) is not a number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return .seconds(number)
    }
}
