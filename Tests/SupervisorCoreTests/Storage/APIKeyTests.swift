import Testing

@testable import SupervisorCore

struct APIKeyTests {
    @Test func `a key that could not be kept is saved later, unless it is being replaced`() {
        var key = APIKey("a", isSaved: false)
        #expect(key.needsSaving)
        key.beginChange()
        #expect(!key.needsSaving)
        key.endChange()
        #expect(key.needsSaving)
        #expect(key.saved("b") == false, "another one was saved")
        #expect(key.needsSaving)
        #expect(key.saved("a") == true)
        #expect(!key.needsSaving)
    }

    @Test func `a new key takes the place of the old one`() {
        var key = APIKey("a", isSaved: false)
        key.replace(by: "b")
        #expect(key.accepts("b") && !key.accepts("a") && !key.accepts(""))
        #expect(!key.needsSaving)
    }
}
