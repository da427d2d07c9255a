import Glibc
import Testing

@testable import device_supervisor

@Suite struct FormerStateTests {
    /// A folder with an API key in it, or without.
    private func folder(withKey: Bool) throws -> ConfigurationDirectory {
        let directory = ConfigurationDirectory()
        if withKey { directory.write("key", to: "api-key") }
        return directory
    }

    @Test
    func `state of the former name is pointed out, with the commands that move it, until there is state of our own`()
        throws
    {
        let (former, own) = (try folder(withKey: true), try folder(withKey: false))
        let hint = try #require(FormerState.hint(for: own.path, former: former.path))
        #expect(!hint.contains("\n"))
        #expect(hint.contains("cp -a \(former.path)/. \(own.path)/"))
        let other = try folder(withKey: true)
        #expect(FormerState.hint(for: other.path, former: former.path) == nil)
    }

    @Test func `without former state nothing is said`() throws {
        let (former, own) = (try folder(withKey: false), try folder(withKey: false))
        #expect(FormerState.hint(for: own.path, former: former.path) == nil)
        #expect(FormerState.hint(for: own.path, former: former.path + "/absent") == nil)
        #expect(FormerState.hint(for: former.path, former: former.path) == nil)
    }
}
