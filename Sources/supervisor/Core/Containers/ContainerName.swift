import LinuxSupport

/// The names that our containers have at the engine: `<service>_<appId>_<first 12 digits of the digest>`, and, where a
/// former container of the same configuration still has that name, the same with `_2` to `_9`.
///
/// A label alone proves nothing: `docker commit` copies the labels into an image, and every container of that image
/// inherits them. The name cannot be inherited.
enum ContainerName {
    /// Of a container that is made only to see whether the engine accepts it.
    static let trialPrefix = "trial_"

    /// In the order in which they are tried.
    static func candidates(_ key: ServiceKey, digest: String) -> [String] {
        let base = base(key, digest: digest)
        return [base] + (2...9).map { "\(base)_\($0)" }
    }

    /// Whether we gave this name to a container of that service and configuration.
    static func isOurs(_ name: String, _ key: ServiceKey, digest: String) -> Bool {
        let name = Array(name.utf8)
        let base = Array(base(key, digest: digest).utf8)
        guard name.starts(with: base) else { return false }
        let rest = name.dropFirst(base.count)
        return rest.isEmpty
            || rest.count == 2 && rest.first == UInt8(ascii: "_")
                && (UInt8(ascii: "2")...UInt8(ascii: "9")).contains(rest[rest.startIndex + 1])
    }

    private static func base(_ key: ServiceKey, digest: String) -> String {
        "\(key.service)_\(key.app)_\(digest.prefix(12))"
    }
}
