/// The operands and options of a command line. The parser creates only values that the syntax allows.
public struct CommandArguments: Hashable, Sendable {
    public struct Option: Hashable, Sendable {
        /// Without dashes.
        public var name: String
        /// Empty for an option without one.
        public var value: String

        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// At least those that are required, at most as many as there are in the syntax.
    public var operands: [String]
    /// In their order, each as often as it stood there.
    public var options: [Option]

    public init(operands: [String] = [], options: [Option] = []) {
        self.operands = operands
        self.options = options
    }

    public func has(_ option: OptionSyntax) -> Bool { options.contains { $0.name == option.name } }

    /// The last one, where there are several; nil where there is none.
    public func value(of option: OptionSyntax) -> String? { options.last { $0.name == option.name }?.value }
}
