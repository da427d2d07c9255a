import CSystemd

/// An id of this machine for one purpose: derived from /etc/machine-id, which it does not reveal
/// (sd_id128_get_machine_app_specific(3); `systemd-id128 machine-id --app-specific=…` prints the same).
///
/// `application` names the purpose: 32 hex digits, or a UUID with hyphens. Returns 32 lower-case hex digits; nil where
/// the machine has no id yet, or `application` is none.
public func machineApplicationID(_ application: String) -> String? {
    var digits = [CChar](repeating: 0, count: 33)
    guard csystemd_machine_app_specific(application, &digits) == 0 else { return nil }
    return String(decoding: digits.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}
