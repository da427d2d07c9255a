/// What is wrong with the configuration.
struct SettingsError: Error, CustomStringConvertible {
    var description: String
}
