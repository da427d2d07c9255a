import JSON
import Testing

@Suite struct JSONObjectTests {
    @Test func `assigning keeps the place of a member, appends a new one and removes by nil`() {
        var object: JSONObject = ["a": 1, "b": 2]
        object["a"] = 3
        object["c"] = 4
        #expect(object.names == ["a", "b", "c"])
        #expect(object["a"] == 3)
        object["b"] = nil
        object["x"] = nil
        #expect(object.names == ["a", "c"])
    }

    @Test func `of two members with one name the later value counts at the place of the first`() {
        let object = JSONObject([("a", 1), ("b", 2), ("a", 3)])
        #expect(object.names == ["a", "b"])
        #expect(object["a"] == 3)
    }

    @Test func `null is a member and an absent member is nil`() {
        let value: JSONValue = ["a": nil]
        #expect(value["a"] == .null)
        #expect(value["b"] == nil)
        #expect(JSONValue.string("a")["a"] == nil)
    }

    @Test func `objects with other orders are different values`() {
        #expect(JSONValue.object(["a": 1, "b": 2]) != JSONValue.object(["b": 2, "a": 1]))
    }
}
