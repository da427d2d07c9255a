import UnitFile

@testable import SupervisorPluginHost

/// Unit files: the syntax, every kind of value, and a manifest of a plugin.
struct UnitTarget: FuzzTarget {
    func run(_ input: [UInt8]) {
        guard let unit = try? UnitFile(parsing: input, file: "/led.plugin") else { return }
        for section in ["Plugin", "Launch", "Match", "Settings"] {
            for key in unit.keys(in: section).prefix(20) {
                guard let value = unit.last(key, in: section) else { continue }
                _ = try? value.bool()
                _ = try? value.integer(in: 0...100)
                _ = try? value.duration(in: .zero ... .seconds(10))
                _ = try? value.words()
                _ = value.shown
            }
        }
        let reader = ManifestReader(unit, name: "led", path: "/led.plugin")
        _ = try? reader.read()
        _ = reader.looksEssential
        _ = reader.warnings()
    }
}
