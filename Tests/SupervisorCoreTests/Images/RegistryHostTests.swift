import Testing

@testable import SupervisorCore

@Suite("The registry of an image")
struct RegistryHostTests {
    @Test(
        "is what stands before the first slash, or the Docker Hub",
        arguments: [
            ("busybox", "docker.io"),
            ("busybox:1.36", "docker.io"),
            ("library/busybox", "docker.io"),
            ("team/app/part:1", "docker.io"),
            ("docker.io/library/busybox", "docker.io"),
            ("index.docker.io/library/busybox", "docker.io"),
            ("localhost/app", "localhost"),
            ("localhost:5000/app:1", "localhost:5000"),
            ("localhost:5000", "docker.io"),
            ("registry.example.com/a/b@sha256:00", "registry.example.com"),
            ("registry.example.com:5000/a", "registry.example.com:5000"),
            ("Host/app", "host"),
            ("[::1]:5000/app", "[::1]:5000"),
            ("", "docker.io"),
        ]
    )
    func ofImage(reference: String, name: String) {
        #expect(RegistryHost(image: reference).name == name)
    }

    @Test(
        "is found in a key with a scheme or a path",
        arguments: [
            ("registry.example.com", "registry.example.com"),
            ("https://registry.example.com:5000/v2/", "registry.example.com:5000"),
            ("http://127.0.0.1:5000", "127.0.0.1:5000"),
            ("Registry.Example.com/team", "registry.example.com"),
            ("https://index.docker.io/v1/", "docker.io"),
            ("index.docker.io", "docker.io"),
            ("docker.io", "docker.io"),
            ("", ""),
        ]
    )
    func ofKey(key: String, name: String) {
        #expect(RegistryHost(key: key).name == name)
    }

    @Test("has the address that docker's clients give")
    func serverAddress() {
        #expect(RegistryHost(image: "busybox").serverAddress == "https://index.docker.io/v1/")
        #expect(RegistryHost(image: "localhost:5000/app").serverAddress == "localhost:5000")
    }
}
