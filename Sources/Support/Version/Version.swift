/// The version of the daemon, the control tool and the plugins of this repository. They are released together; the manual
/// pages and the change log of the Debian packages name the same version, which scripts/lint checks.
public enum Version {
    /// Three numbers, as Semantic Versioning has them.
    public static let text = "0.1.0"
}
