/// Why there is no configuration to run with. The program ends with status 78 (EX_CONFIG of sysexits.h), which systemd
/// does not restart; a reload leaves the current configuration in effect.
struct ConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// One line: `FILE:LINE: [Section] Key: what is wrong; allowed: …`, as far as it applies.
    var message: String

    var description: String { message }
}
