import DBus
import Testing

@testable import supervisor_plugin_logind

struct PowerStatusTests {
    static func job(_ unit: String, _ type: String = "start") -> BusValue {
        .structure([
            .uint32(7), .string(unit), .string(type), .string("waiting"), .objectPath("/j"), .objectPath("/u"),
        ])
    }

    @Test(
        arguments: [
            ([], nil), ([job("redsocks.service", "restart")], nil), ([job("reboot.target")], .reboot),
            ([job("a.service", "stop"), job("poweroff.target")], .powerOff), ([job("kexec.target")], .reboot),
            ([job("halt.target")], .powerOff), ([job("reboot.target", "stop")], nil), ([.string("reboot.target")], nil),
        ] as [([BusValue], PowerAction?)]
    )
    func jobsTellTheShutdown(jobs: [BusValue], action: PowerAction?) {
        #expect(Systemd1.shutdown(jobs: .array(of: "(usssoo)", jobs)) == action)
    }

    static func properties(_ entries: [(String, BusValue)]) -> BusValue {
        .array(of: "{sv}", entries.map { .entry(.string($0.0), .variant($0.1)) })
    }

    @Test func propertiesOfTheOlderSystemdAreRead() {
        let preparation = Login1.Preparation(
            properties: Self.properties([
                ("PreparingForShutdown", .bool(true)), ("InhibitDelayMaxUSec", .uint64(2_500_000)),
            ])
        )
        #expect(preparation.isPreparing)
        #expect(preparation.kind == nil)
        #expect(preparation.longestDelay == .milliseconds(2500))
    }

    @Test func propertiesOfTheNewerSystemdTellTheKind() {
        let metadata = BusValue.array(of: "{sv}", [.entry(.string("type"), .variant(.string("power-off")))])
        let preparation = Login1.Preparation(
            properties: Self.properties([
                ("PreparingForShutdown", .bool(true)), ("PreparingForShutdownWithMetadata", metadata),
                ("InhibitDelayMaxUSec", .uint64(.max)),
            ])
        )
        #expect(preparation.kind.flatMap(PowerAction.init(kind:)) == .powerOff)
        #expect(preparation.longestDelay == .seconds(5))
    }

    @Test func nothingIsPreparedWithoutAWord() {
        #expect(Login1.Preparation(properties: Self.properties([])) == Login1.Preparation())
    }

    @Test(arguments: ["yes", "no", "na", "challenge", ""])
    func everyAnswerOfThePolicyHasWords(answer: String) {
        let words = Power.policy(answer, .powerOff, user: 999)
        #expect(answer == "na" || words.hasSuffix("user 999"))
        #expect(words == "logind reports that this host does not support it" || words.hasPrefix("the host's policy"))
    }
}
