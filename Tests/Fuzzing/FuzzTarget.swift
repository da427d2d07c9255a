/// Something that reads what others write.
protocol FuzzTarget {
    init()
    /// Traps where something is wrong.
    func run(_ input: [UInt8])
}

/// The targets by the names that scripts/fuzz has for them.
enum FuzzTargets {
    static var all: [String: any FuzzTarget.Type] {
        [
            "request": RequestsTarget.self, "body": BodyTarget.self, "json": JSONTarget.self, "frame": FrameTarget.self,
            "unit": UnitTarget.self, "redsocks": RedsocksTarget.self, "target": TargetStateTarget.self,
            "image": ImageTarget.self, "engine": EngineTarget.self, "log": LogTarget.self, "bus": BusTarget.self,
        ]
    }
}
