import Testing

@testable import SupervisorCommandLine

/// What differs where a program does one thing: its operands and options are its own.
struct ProgramWithoutCommandsTests {
    private static let name = OptionSyntax(
        name: "name",
        value: ValueSyntax(name: "NAME", kind: .text),
        help: "What it is called."
    )
    private static let type = OptionSyntax(
        name: "type",
        value: ValueSyntax(name: "TYPE", kind: .text, mayBeEmpty: true),
        help: "What it is."
    )
    private static let quiet = OptionSyntax(name: "quiet", letter: "q", help: "Print nothing.")
    private static let help = OptionSyntax(name: "help", letter: "h", help: "Print this and exit.")

    private static let syntax = ProgramSyntax(
        name: "paint",
        abstract: "Paint a file.",
        discussion: ["Slowly."],
        seeAlso: "paint(1)",
        options: [name, type, quiet, help],
        operands: [
            OperandSyntax(name: "FILE", kind: .file, isRequired: true, help: "What to paint."),
            OperandSyntax(name: "COLOUR", kind: .text, help: "With what."),
        ]
    )

    private func arguments(_ words: [String], _ syntax: ProgramSyntax = syntax) throws -> CommandArguments? {
        guard case .run(nil, let arguments) = try CommandLineParser.parse(words, syntax) else { return nil }
        return arguments
    }

    @Test func `operands and options come in any order, and each option as often as it stands there`() throws {
        let arguments = try arguments(["--name", "a", "wall", "-q", "--type=", "red", "--name=b"])
        #expect(arguments?.operands == ["wall", "red"])
        #expect(arguments?.options.map(\.name) == ["name", "quiet", "type", "name"])
        #expect(arguments?.options.map(\.value) == ["a", "", "", "b"])
        #expect(arguments?.value(of: Self.name) == "b")
        #expect(arguments?.has(Self.quiet) == true)
    }

    @Test func `two hyphens end the options`() throws {
        #expect(try arguments(["--", "--quiet"])?.operands == ["--quiet"])
        #expect(try arguments(["-q", "--", "-q", "--name"])?.operands == ["-q", "--name"])
    }

    @Test(arguments: [["--help"], ["-h"], ["wall", "--help"], ["--help", "--nonsense"]])
    func `help is for the program`(words: [String]) throws {
        #expect(try CommandLineParser.parse(words, Self.syntax) == .help(command: nil))
    }

    @Test(
        arguments: [
            ([], "paint needs FILE: paint [--name NAME] [--type TYPE] [--quiet] FILE [COLOUR]"),
            (["--quiet=yes", "wall"], "--quiet takes no value"),
            (["wall", "--name"], "--name needs a value: --name NAME"),
            (["--name=", "wall"], "--name needs a value: --name NAME"),
            (["--nam", "x", "wall"], "there is no option --nam; did you mean --name?"),
            (["--qiuet", "wall"], "there is no option --qiuet; did you mean --quiet?"),
            (["--version", "wall"], "there is no option --version"),
            (
                ["wall", "red", "blue"],
                "blue is one argument too many: paint [--name NAME] [--type TYPE] [--quiet] FILE [COLOUR]"
            ),
        ] as [([String], String)]
    )
    func `what it does not know is refused in one line, and another says where to look`(
        words: [String],
        message: String
    ) {
        #expect(throws: CommandLineError("\(message)\nSee paint --help")) {
            try CommandLineParser.parse(words, Self.syntax)
        }
    }

    @Test func `a program may say itself what an argument too many means`() {
        var syntax = Self.syntax
        syntax.surplus = "one wall at a time"
        #expect(throws: CommandLineError("c is one argument too many: one wall at a time\nSee paint --help")) {
            try CommandLineParser.parse(["a", "b", "c"], syntax)
        }
    }

    @Test func `the help has everything that it takes`() {
        #expect(
            HelpText.text(for: Self.syntax, exitStatuses: [(0, "done"), (64, "wrong usage")]) == """
                Paint a file.

                Usage: paint [--name NAME] [--type TYPE] [--quiet] FILE [COLOUR]

                Arguments:
                  FILE    What to paint.
                  COLOUR  With what.

                Options:
                  --name NAME  What it is called.
                  --type TYPE  What it is.
                  -q, --quiet  Print nothing.
                  -h, --help   Print this and exit.

                Slowly.

                Exit status:
                  0   done
                  64  wrong usage

                See paint(1)
                """
        )
    }
}
