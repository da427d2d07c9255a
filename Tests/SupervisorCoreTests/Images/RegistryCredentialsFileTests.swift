import Glibc
import TestSupport
import Testing

@testable import SupervisorCore

@Suite("The file of credentials for registries")
struct RegistryCredentialsFileTests {
    private let files = TemporaryDirectory()
    private var file: RegistryCredentialsFile { RegistryCredentialsFile(directory: files.path) }

    private func write(_ text: String, mode: mode_t = 0o600) {
        TestFile.write(text, file.path, mode: mode)
        chmod(file.path, mode)
    }

    /// alice:s3cret
    private static let auth = "YWxpY2U6czNjcmV0"
    private static let secrets = ["s3cret", auth, "hunter2"]

    private static func alice(_ registry: String) -> RegistryCredentials {
        RegistryCredentials(registry: registry, username: "alice", password: "s3cret")
    }

    @Test("need not be there")
    func absent() throws {
        #expect(file.path.hasSuffix("/registries.json"))
        #expect(try file.credentials(for: "busybox") == nil)
    }

    @Test(
        "gives those of the image's registry, and of no other",
        arguments: [
            ("registry.example.com/app:1", "registry.example.com"),
            ("registry.example.com:5000/app", nil),
            ("example.com/app", nil),
            ("127.0.0.1:5000/app", "127.0.0.1:5000"),
            ("app", "docker.io"),
            ("docker.io/team/app", "docker.io"),
        ] as [(String, String?)]
    )
    func byRegistry(image: String, registry: String?) throws {
        write(
            """
            {"auths": {"https://index.docker.io/v1/": {"auth": "\(Self.auth)"},
                       "registry.example.com": {"username": "alice", "password": "s3cret"},
                       "http://127.0.0.1:5000/v2/": {"auth": "\(Self.auth)", "email": ""},
                       "broken.example.com": {}},
             "credsStore": "desktop"}
            """
        )
        #expect(try file.credentials(for: image) == registry.map(Self.alice))
    }

    @Test("prefers the key that is just the registry's name", arguments: [true, false])
    func precedence(isFirst: Bool) throws {
        let exact = #""r.example.com": {"auth": "\#(Self.auth)"}"#
        let other = #""https://r.example.com/v1/": {"username": "bob", "password": "hunter2"}"#
        write(#"{"auths": {\#(isFirst ? "\(exact), \(other)" : "\(other), \(exact)")}}"#)
        #expect(try file.credentials(for: "r.example.com/app")?.username == "alice")
    }

    @Test("is read at each question")
    func changes() throws {
        write(#"{"auths": {"r.example.com": {"auth": "\#(Self.auth)"}}}"#)
        #expect(try file.credentials(for: "r.example.com/app")?.password == "s3cret")
        write(#"{"auths": {"r.example.com": {"username": "alice", "password": "hunter2"}}}"#)
        #expect(try file.credentials(for: "r.example.com/app")?.password == "hunter2")
        write(#"{"auths": {}}"#)
        #expect(try file.credentials(for: "r.example.com/app") == nil)
    }

    @Test(
        "is refused while others may read or write it",
        arguments: [0o644, 0o640, 0o606, 0o660, 0o601, 0o610, 0o4604] as [mode_t]
    )
    func mode(mode: mode_t) {
        write(#"{"auths": {"r.example.com": {"auth": "\#(Self.auth)"}}}"#, mode: mode)
        let problem = problem(for: "r.example.com/app")
        #expect(problem?.contains(file.path) == true)
        #expect(problem?.contains("mode 0\(String(mode, radix: 8))") == true)
    }

    @Test("may be read-only for its owner")
    func readOnly() throws {
        write(#"{"auths": {"r.example.com": {"auth": "\#(Self.auth)"}}}"#, mode: 0o400)
        #expect(try file.credentials(for: "r.example.com/app") == Self.alice("r.example.com"))
    }

    @Test(
        "is refused where it is damaged, with the place and without the contents",
        arguments: [
            (#"{"auths": {"r.example.com": {"auth": "YWxpY2U6czNjcmV0"}"#, "line 1, column"),
            ("{\n \"auths\": hunter2}", "line 2, column 11"),
            ("", "line 1, column 1"),
            ("{}", #"no object "auths""#),
            (#"{"auths": []}"#, #"no object "auths""#),
            (#"{"auths": {"r.example.com": {}}}"#, "registry r.example.com"),
            (#"{"auths": {"r.example.com": "hunter2"}}"#, "registry r.example.com"),
            (#"{"auths": {"r.example.com": {"identitytoken": "hunter2"}}}"#, "tokens"),
            (#"{"auths": {"r.example.com": {"username": "alice"}}}"#, "registry r.example.com"),
            (#"{"auths": {"r.example.com": {"auth": "hunter2"}}}"#, "Base64"),
            // No colon in it.
            (#"{"auths": {"r.example.com": {"auth": "YWxpY2U="}}}"#, "Base64"),
            // Not UTF-8.
            (#"{"auths": {"r.example.com": {"auth": "YTr/"}}}"#, "Base64"),
            // :s3cret
            (#"{"auths": {"r.example.com": {"auth": "OnMzY3JldA=="}}}"#, "empty user name"),
        ]
    )
    func damaged(text: String, words: String) {
        write(text)
        let problem = problem(for: "r.example.com/app") ?? ""
        #expect(problem.hasPrefix(file.path))
        #expect(problem.contains(words))
        for secret in Self.secrets { #expect(!problem.contains(secret)) }
    }

    @Test("is refused where it is no file, and where it is endless")
    func notAFile() {
        mkdir(file.path, 0o700)
        #expect(problem(for: "app")?.contains("not a regular file") == true)
        rmdir(file.path)
        symlink("/dev/zero", file.path)
        #expect(problem(for: "app")?.contains("not a regular file") == true)
        unlink(file.path)
        write(String(repeating: " ", count: 1 << 20 + 1))
        #expect(problem(for: "app")?.contains("longer") == true)
    }

    @Test("is refused where it belongs to somebody else", .enabled(if: geteuid() == 0))
    func owner() {
        write(#"{"auths": {}}"#)
        chown(file.path, 65534, 65534)
        #expect(problem(for: "app")?.contains("belongs to user 65534") == true)
    }

    private func problem(for image: String) -> String? {
        do throws(RegistryCredentialsFile.Problem) {
            _ = try file.credentials(for: image)
            return nil
        } catch {
            return error.description
        }
    }

    @Test("never tells a password in words")
    func description() {
        let credentials = Self.alice("r.example.com")
        #expect("\(credentials)" == "credentials of alice for r.example.com")
    }
}
