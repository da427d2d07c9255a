import JSON
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct JSONRoundTripTests {
    /// `value` as it reads back: a double without a fraction is written like an integer, up to where Swift's
    /// description begins to use an exponent.
    static func normalised(_ value: JSONValue) -> JSONValue {
        switch value {
        case .double(let number) where !(number == 0 && number.sign == .minus):
            guard number.magnitude <= 0x1p53, let integer = Int64(exactly: number) else { return value }
            return .integer(integer)
        case .array(let elements): return .array(elements.map(normalised))
        case .object(let object): return .object(JSONObject(object.map { ($0.name, normalised($0.value)) }))
        default: return value
        }
    }

    @Test func `what is written reads back as the same value`() throws {
        var samples = JSONSamples(seed: 1)
        for _ in 0..<2000 {
            let value = samples.value()
            let text = value.encoded()
            let again = try JSONValue(parsing: text)
            #expect(again == Self.normalised(value))
            #expect(again.encoded() == text)
            #expect(!text.contains(UInt8(ascii: "\n")))
        }
    }

    @Test func `every double reads back bit by bit`() throws {
        var generator = SeededGenerator(seed: 2)
        for _ in 0..<20_000 {
            let number = Double(bitPattern: generator.next())
            guard number.isFinite else { continue }
            // An integer converts to the same double, too.
            switch try JSONValue(parsing: JSONValue.double(number).encoded()) {
            case .double(let again): #expect(again.bitPattern == number.bitPattern)
            case .integer(let again): #expect(Double(again).bitPattern == number.bitPattern)
            default: Issue.record("\(number) is no number any more")
            }
        }
    }

    @Test func `whole doubles around the limit of exact integers read back`() throws {
        for exponent in 50...63 {
            for offset in -3...3 {
                let number = Double(sign: .plus, exponent: exponent, significand: 1) + Double(offset)
                let again = try JSONValue(parsing: JSONValue.double(number).encoded())
                #expect(again == .double(number) || again == .integer(Int64(number)))
            }
        }
    }

    @Test func `texts with needless space and escapes have the value they were made from`() throws {
        var samples = JSONSamples(seed: 3)
        var checked = 0
        for _ in 0..<2000 {
            let string = JSONValue.array([samples.value(depth: 0)])
            if case .array(let elements) = string, case .double = elements[0] { continue }
            #expect(try JSONValue(parsing: samples.text(of: string)) == string)
            checked += 1
        }
        #expect(checked > 1000)
    }
}
