import Glibc
import SupervisorCommandLine
import Testing

@testable import superctl

/// The table of commands itself, and what is made of it.
struct CommandSyntaxTests {
    private static let syntax = Superctl.syntax

    @Test func `every name stands for one thing`() {
        let commands = Self.syntax.commands.map(\.name)
        #expect(Set(commands).count == commands.count)
        for option in Self.syntax.commands.flatMap(\.options) {
            #expect(Self.syntax.everyOption.contains(option), "--\(option.name) is not the same everywhere")
        }
        let letters = Self.syntax.everyOption.compactMap(\.letter)
        #expect(Set(letters).count == letters.count)
    }

    @Test(arguments: syntax.commands)
    func `required operands come first`(command: CommandSyntax) {
        let firstOptional = command.operands.firstIndex { !$0.isRequired } ?? command.operands.endIndex
        #expect(command.operands[firstOptional...].allSatisfy { !$0.isRequired })
    }

    @Test(arguments: syntax.commands)
    func `the help of a command shows everything that it takes, in 80 columns`(command: CommandSyntax) throws {
        let help = try Superctl.help(command.name)
        #expect(help.contains(command.abstract))
        for operand in command.operands { #expect(help.contains("\n  \(operand.name)  ")) }
        for option in command.options + [.socket] {
            let letter = option.letter.map { "-\($0), " } ?? ""
            #expect(help.contains("\n  \(letter)\(option.usage)  "))
        }
        #expect(help.contains("\n  -h, --help  "))
        #expect(help.split(separator: "\n").allSatisfy { $0.count <= 80 && $0.last != " " })
    }

    @Test func `the help of the program lists the commands`() throws {
        let help = try Superctl.help(nil)
        for command in Self.syntax.commands { #expect(help.contains("\n  \(command.name) ")) }
        #expect(help.split(separator: "\n").allSatisfy { $0.count <= 80 && $0.last != " " })
    }

    @Test func `the help of restart`() throws {
        #expect(
            try Superctl.help("restart") == """
                Recreate an application's containers and start them.

                Usage: superctl restart [APP] [--force]

                Arguments:
                  APP  The application's number or name; may be omitted if there is only one.

                Options:
                  --force        Proceed even if an update lock is held.
                  --socket PATH  The control socket. Default: $SUPERVISOR_CONTROL_SOCKET, else
                                 /run/device-supervisor/control.sock.
                  --version      Print the version.
                  -h, --help     Print help, for the program or for a command.
                """
        )
    }

    @Test func `the manual has every command and option`() throws {
        let manual = try Self.manual()
        for command in Self.syntax.commands {
            let name = Self.escaped(command.name)
            #expect(manual.contains("\n.B \(name)\n") || manual.contains("\n.BR \(name) "), "\(command.name)")
        }
        for option in Self.syntax.everyOption {
            #expect(manual.contains("\\-\\-\(Self.escaped(option.name))"), "--\(option.name)")
        }
    }

    /// As roff has it: its bare hyphen is not the one that is typed.
    private static func escaped(_ name: String) -> String {
        name.split(separator: Character("-")).joined(separator: "\\-")
    }

    private static func manual() throws -> String {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let descriptor = open("/\(root)/docs/man/superctl.1", O_RDONLY)
        guard descriptor >= 0 else { throw SystemFailure(call: "open") }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes[..<max(count, 0)], as: UTF8.self)
    }
}
