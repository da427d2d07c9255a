/// What stood on the command line besides the name of the command. The parser makes only such as the syntax allows.
struct CommandArguments: Hashable, Sendable {
    /// At least those that are required, at most as many as there are in the syntax.
    var operands: [String] = []
    /// By the option's name; empty for one without a value. The last one counts.
    var options: [String: String] = [:]

    func has(_ option: OptionSyntax) -> Bool { options[option.name] != nil }

    /// nil where the option is not there.
    func value(of option: OptionSyntax) -> String? { options[option.name] }
}
