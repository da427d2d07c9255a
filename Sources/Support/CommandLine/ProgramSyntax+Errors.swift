extension ProgramSyntax {
    /// - Parameter what: one line; what comes from outside is safe for a terminal.
    public func wrong(_ what: String, in command: CommandSyntax? = nil) -> CommandLineError {
        let topic = ([name] + [command?.name].compactMap(\.self)).joined(separator: " ")
        return CommandLineError("\(what)\nSee \(topic) --help")
    }

    public func command(called name: String) throws(CommandLineError) -> CommandSyntax {
        if let command = commands.first(where: { $0.name == name }) { return command }
        let near = Suggestion.text(for: name, among: commands.map(\.name))
        throw wrong("there is no command \(TerminalText.safe(name))\(near)")
    }
}
