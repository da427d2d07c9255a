import SupervisorCommandLine

extension CheckOptions {
    static let oneAtATime = "only one plugin can be tested at a time"

    static let list = OptionSyntax(name: "list", help: "Print the ids, what each checks, and exit.")

    static let syntax = ProgramSyntax(
        name: "supervisor-plugin-check",
        abstract: "Test a plugin from outside against the plugin protocol (docs/plugin-protocol.md).",
        discussion: [
            "Each check starts the plugin again. The output is TAP 14; the ids of the checks are stable.",
            """
            Without --allow or --call, only plugin.* and idempotent read operations (*.get, *.status) are called.
            """,
        ],
        seeAlso: "docs/plugin-protocol.md",
        options: [
            option(
                "socket",
                "PATH",
                .file,
                """
                Connect to this unix socket instead of starting an executable; what needs the process (its exit status, \
                signals, a terminal) is skipped.
                """
            ),
            option("name", "NAME", .text, "What the plugin must call itself, as in its manifest."),
            option("setting", "KEY=VALUE", .text, "One of [Settings] of its manifest; may be repeated."),
            OptionSyntax(
                name: "device-type",
                value: ValueSyntax(name: "TYPE", kind: .text, mayBeEmpty: true),
                help: "Handed over in the handshake. Default: empty."
            ),
            option(
                "allow",
                "OPERATION",
                .operation,
                "Call this operation, although it may change the host; may be repeated."
            ),
            option("call", "OPERATION=JSON", .json, "The same, with these params; one that takes long tests more."),
            option("timeout", "SECONDS", .text, "For every answer. Default: 5."),
            option("only", "PREFIX", .text, "Only the checks whose ids begin so; may be repeated."),
            list,
            OptionSyntax(name: "help", letter: "h", help: "Print this and exit."),
        ],
        operands: [OperandSyntax(name: "EXECUTABLE", kind: .file, help: "The plugin's program.")],
        surplus: oneAtATime,
        usages: [
            "supervisor-plugin-check [OPTION]... EXECUTABLE",
            "supervisor-plugin-check [OPTION]... --socket PATH",
        ]
    )

    static var help: String {
        HelpText.text(
            for: syntax,
            exitStatuses: [(0, "nothing failed"), (1, "something failed"), (64, "wrong usage")]
        )
    }

    private static func option(_ name: String, _ value: String, _ kind: ValueKind, _ help: String) -> OptionSyntax {
        OptionSyntax(name: name, value: ValueSyntax(name: value, kind: kind), help: help)
    }
}
