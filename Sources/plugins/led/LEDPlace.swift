/// Where the board's LED is.
enum LEDPlace: Sendable, Hashable {
    /// The board has none, or it is not to be used.
    case nowhere
    /// A directory of the LED class, which has to be there.
    case fixed(String)
    /// The first of ``usualNames`` in a directory, if any.
    case usual(in: String)

    /// The LEDs that are meant for activity or for the user, on boards that we know of. Never the power LED.
    static let usualNames = [
        // Raspberry Pi, kernels before and after the name came from the device tree.
        "led0", "ACT",
        // BeagleBone Black, Green: the last of the four.
        "beaglebone:green:usr3",
    ]

    /// nil where there is none. Looked up each time, since a driver may come late.
    var led: SysfsLED? {
        switch self {
        case .nowhere: nil
        case .fixed(let path): SysfsLED(path: path)
        case .usual(let directory):
            Self.usualNames.lazy.map { SysfsLED(path: "\(directory)/\($0)") }.first(where: \.exists)
        }
    }
}
