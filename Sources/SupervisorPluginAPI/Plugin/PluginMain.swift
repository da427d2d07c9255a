import Glibc

/// Runs a plugin.
public enum PluginMain {
    /// Serves the core until the input ends, then exits.
    public static func run<P: Plugin>(_ plugin: P.Type) -> Never {
        exit(0)
    }
}
