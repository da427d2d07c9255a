import CSystemd

/// An id of this machine for one purpose: derived from /etc/machine-id, which it does not reveal
/// (sd_id128_get_machine_app_specific(3); `systemd-id128 machine-id --app-specific=…` prints the same).
///
/// `application` names the purpose: 32 hex digits, or a UUID with hyphens. Returns 32 lower-case hex digits; nil where
/// the machine has no id yet, or `application` is none.
public func machineApplicationID(_ application: String) -> String? {
    var purpose = sd_id128_t()
    var id = sd_id128_t()
    guard sd_id128_from_string(application, &purpose) >= 0,
        sd_id128_get_machine_app_specific(purpose, &id) >= 0
    else { return nil }
    let digits = Array("0123456789abcdef".utf8)
    return withUnsafeBytes(of: id) { bytes in
        String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
