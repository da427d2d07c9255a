import Glibc
import SupervisorSystemd
import Testing

struct MachineIDTests {
    private static let purpose = "0d4d4e4ea0a6404bb01fcf8e7b1b8a0e"
    private static let hasMachineID = access("/etc/machine-id", R_OK) == 0

    @Test(.enabled(if: hasMachineID)) func `an id is 32 hex digits, the same each time, another for another purpose`()
        throws
    {
        let id = try #require(machineApplicationID(Self.purpose))
        #expect(id.utf8.count == 32)
        #expect(id.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        #expect(machineApplicationID("0d4d4e4e-a0a6-404b-b01f-cf8e7b1b8a0e") == id)
        #expect(machineApplicationID("1d4d4e4ea0a6404bb01fcf8e7b1b8a0e") != id)
    }

    @Test(arguments: ["", "xyz", "0d4d4e4ea0a6404bb01fcf8e7b1b8a0", "0d4d4e4ea0a6404bb01fcf8e7b1b8a0e0"])
    func `what is no id gives none`(purpose: String) {
        #expect(machineApplicationID(purpose) == nil)
    }
}
