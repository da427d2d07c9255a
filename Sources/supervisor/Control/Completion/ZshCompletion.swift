import SupervisorCommandLine

/// The script with which zsh completes a program's arguments.
enum ZshCompletion {
    static func script(for program: ProgramSyntax) -> String {
        let name = program.name
        let commands = program.commands.map { "            \(quoted("\($0.name):\($0.abstract)"))" }
        let arguments = program.commands.map { command in
            let specifications =
                command.options.map { specification($0) }
                + command.operands.enumerated().map { place, operand in
                    quoted("\(place + 1):\(operand.name):\(action(operand.kind, name))")
                }
            return "        (\(command.name)) _arguments -s $common \(specifications.joined(separator: " ")) ;;"
        }
        return """
            #compdef \(name)
            # Completion of \(name) for zsh. Made by: \(name) completion zsh

            # The words that the program prints for it, what stands after a tab as their description.
            _\(name)_offer() {
                local -a lines
                lines=(${(f)"$(_call_program words ${(q)_\(name)_program} completion ${(q)@} 2>/dev/null)"})
                lines=(${lines//:/\\\\:})
                lines=(${lines/$'\\t'/:})
                _describe -t words "$1" lines
            }
            _\(name)_apps() { _\(name)_offer apps }
            # The words of the command are renumbered: the first is its name, the next the first that is no option.
            _\(name)_services() { _\(name)_offer services "$line[1]" }
            _\(name)_operations() { _\(name)_offer operations }
            _\(name)_commands() {
                local -a commands
                commands=(
            \(commands.joined(separator: "\n"))
                )
                _describe -t commands command commands
            }

            _\(name)() {
                local _\(name)_program=$words[1] curcontext=$curcontext state line
                local -a common
                typeset -A opt_args
                common=(\(program.options.map { specification($0) }.joined(separator: " ")))
                _arguments -C -s $common '1:command:_\(name)_commands' '*::argument:->argument' && return
                [[ $state == argument ]] || return
                case $words[1] in
            \(arguments.joined(separator: "\n"))
                esac
            }

            # Sourced, it makes itself known; found by its name, it is asked at once.
            if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
                _\(name) "$@"
            else
                compdef _\(name) \(name)
            fi
            """
    }

    private static func specification(_ option: OptionSyntax) -> String {
        let value = option.value.map { ":\($0.name):\(action($0.kind, ""))" } ?? ""
        let text = "[\(escaped(option.help))]\(value)"
        guard let letter = option.letter else { return quoted("--\(option.name)\(text)") }
        let names = ["-\(letter)", "--\(option.name)"]
        return names.map { quoted("(\(names.joined(separator: " ")))\($0)\(text)") }.joined(separator: " ")
    }

    private static func action(_ kind: ValueKind, _ program: String) -> String {
        switch kind {
        case .application: "_\(program)_apps"
        case .service: "_\(program)_services"
        case .operation: "_\(program)_operations"
        case .command: "_\(program)_commands"
        case .choice(let words): "(\(words.joined(separator: " ")))"
        case .file: "_files"
        case .json, .text: " "
        }
    }

    /// What stands in brackets.
    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for character in text {
            if "[]:\\".contains(character) { escaped.append("\\") }
            escaped.append(character)
        }
        return escaped
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "'"
        for character in text { quoted += character == "'" ? "'\\''" : String(character) }
        return quoted + "'"
    }
}
