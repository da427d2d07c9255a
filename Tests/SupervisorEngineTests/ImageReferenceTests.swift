import Testing

@testable import SupervisorEngine

@Suite("A reference of an image")
struct ImageReferenceTests {
    static let digest = "sha256:" + String(repeating: "0123456789abcdef", count: 4)

    @Test(
        "falls into the name and the version to download",
        arguments: [
            ("busybox", "busybox", "latest"),
            ("busybox:1.36", "busybox", "1.36"),
            ("library/busybox", "library/busybox", "latest"),
            ("registry.example.org/a/b:1", "registry.example.org/a/b", "1"),
            ("localhost:5000/app", "localhost:5000/app", "latest"),
            ("127.0.0.1:5000/app:v1_2-3", "127.0.0.1:5000/app", "v1_2-3"),
            ("[::1]:5000/app:2", "[::1]:5000/app", "2"),
            ("Host/app", "Host/app", "latest"),
            ("a__b/c-_d", nil, nil),
            ("a__b/c--d/e.f", "a__b/c--d/e.f", "latest"),
            (
                "registry2.example.org/v2/0123456789abcdef@\(digest)", "registry2.example.org/v2/0123456789abcdef",
                digest
            ),
            ("app:1@\(digest)", "app", digest),
            ("localhost:5000", "localhost", "5000"),
        ] as [(String, String?, String?)]
    )
    func parts(text: String, name: String?, version: String?) {
        let reference = ImageReference(parsing: text)
        #expect(reference?.name == name)
        #expect(reference?.version == version)
        if reference != nil { #expect(reference?.description == text) }
    }

    @Test(
        "is not just any text",
        arguments: [
            "", ":", "/", "a/", "/a", "a//b", "a/../b", "..", "a/.", "UPPER", "a/Upper", "a b", "a?x=y", "a#b", "a%2fb",
            "a&tag=b", "a:", "a:-x", "a:b:c", "a:b/c:", "a@", "a@sha256:12",
            "a@md5:\(String(repeating: "0", count: 64))",
            "a@\(digest)@\(digest)", "a@\(digest):1", "ä", "a\nb", "a\u{0}", ".a", "a.", "a___b", "a..b", "http://a/b",
            "host.org:x/a", "host.org:/a", "[::1/a", "[x y]/a", "a:\(String(repeating: "x", count: 129))",
            String(repeating: "a", count: 256),
        ]
    )
    func refused(text: String) {
        #expect(ImageReference(parsing: text) == nil)
    }

    @Test("may be an id, which names no registry")
    func id() {
        #expect(ImageReference(parsing: Self.digest)?.isID == true)
        #expect(ImageReference(parsing: "app@\(Self.digest)")?.isID == false)
    }
}
