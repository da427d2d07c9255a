import SupervisorPluginAPI

enum PowerAction: Sendable, Hashable {
    case reboot
    case powerOff

    /// Of org.freedesktop.login1.Manager.
    var method: String {
        switch self {
        case .reboot: "Reboot"
        case .powerOff: "PowerOff"
        }
    }

    /// Completes "cannot …".
    var words: String {
        switch self {
        case .reboot: "reboot"
        case .powerOff: "power off"
        }
    }

    /// The one that polkit is asked about.
    var policyAction: String {
        switch self {
        case .reboot: "org.freedesktop.login1.reboot"
        case .powerOff: "org.freedesktop.login1.power-off"
        }
    }

    var preparing: PowerStatus.Reply.Preparing {
        switch self {
        case .reboot: .reboot
        case .powerOff: .powerOff
        }
    }

    /// By the target that systemd starts for it. After a kexec the host comes up again, after a halt it does not.
    init?(unit: String) {
        switch unit {
        case "reboot.target", "kexec.target", "soft-reboot.target": self = .reboot
        case "poweroff.target", "halt.target": self = .powerOff
        default: return nil
        }
    }

    /// By the word of logind.
    init?(kind: String) {
        switch kind {
        case "reboot", "kexec", "soft-reboot": self = .reboot
        case "power-off", "poweroff", "halt": self = .powerOff
        default: return nil
        }
    }
}
