import Testing

@testable import SupervisorCore

struct ImageLedgerTests {
    @Test func `only an image that is new has to be saved`() {
        var images = ImageLedger(kept: .init(pulled: ["app:1"]))
        let isNew = [images.add("app:1"), images.add("app:2")]
        #expect(isNew == [false, true])
        images.remove("app:1")
        #expect(images.pulled == ["app:2"])
    }

    @Test func `a problem with credentials is reported once until it changes or has ended`() {
        var images = ImageLedger(kept: .init())
        var isNews = ["a", "a", "b"].map { images.credentialsFailed($0) }
        #expect(images.credentialsProblem == "b")
        images.credentialsAreUsable()
        isNews.append(images.credentialsFailed("b"))
        #expect(isNews == [true, false, true, true])
    }
}
