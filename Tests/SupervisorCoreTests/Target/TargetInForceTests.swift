import JSON
import Testing

@testable import SupervisorCore

struct TargetInForceTests {
    private static func target(_ json: JSONValue) throws -> (TargetState, JSONValue) {
        var parser = TargetParser()
        return (try parser.parse(json), json)
    }

    private static let document = Sample.target((1, Sample.app("app:1")))

    @Test func `a file that cannot be used leaves the last good target, and is reported once until that changes`()
        throws
    {
        var target = TargetInForce(kept: Self.document)
        #expect(target.confirmed?.apps.map(\.id) == [AppID(1)])
        let reports = ["bad", "bad", "worse"].map { target.refuse($0) }
        #expect(reports == [true, false, true])
        #expect(target.state?.apps.count == 1)
        #expect(target.confirmed == nil)
        let (state, json) = try Self.target(Self.document)
        let kept = target.accept(state, json)
        #expect(kept == nil, "it says what it said before")
        #expect(target.confirmed == target.state)
    }

    @Test func `no file yet is no error`() {
        var target = TargetInForce(kept: nil)
        let isReported = target.refuse(nil)
        #expect(!isReported)
        #expect(target.state == nil)
        #expect(target.stopTimeout(AppID(1)) == .seconds(10))
        #expect(!target.isOverridden(AppID(1)))
    }

    @Test(arguments: [
        ("RESIN_SUPERVISOR_OVERRIDE_LOCK", "1", true), ("BALENA_SUPERVISOR_OVERRIDE_LOCK", "True", true),
        ("RESIN_SUPERVISOR_OVERRIDE_LOCK", "0", false), ("RESIN_OVERRIDE_LOCK", "1", false),
    ])
    func `a variable of the device switches the update locks off`(name: String, value: String, isOverridden: Bool)
        throws
    {
        let config = JSONValue.object(JSONObject([(name, .string(value))]))
        let target = TargetInForce(kept: Sample.target((1, Sample.app("app:1")), config: config))
        #expect(target.isOverridden(AppID(1)) == isOverridden)
        #expect(target.isWanted("app:1"))
        #expect(!target.isWanted("app:2"))
    }
}
