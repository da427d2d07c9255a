import SupervisorCommandLine

/// The script with which fish completes a program's arguments.
enum FishCompletion {
    static func script(for program: ProgramSyntax) -> String {
        let name = program.name
        let valued = program.everyOption.filter { $0.value != nil }
            .flatMap { ($0.letter.map { ["-\($0)"] } ?? []) + ["--\($0.name)"] }
        let commands = program.commands.map { command in
            "complete -c \(name) -n '__\(name)_at' -a \(command.name) -d \(quoted(command.abstract))"
        }
        let options = program.commands.flatMap { command in
            command.options.map { line($0, name, condition: "__\(name)_in \(command.name)") }
        }
        let operands = program.commands.flatMap { command in
            command.operands.enumerated().compactMap { place, operand -> String? in
                guard let words = words(for: operand.kind, program) else { return nil }
                return "complete -c \(name) -n '__\(name)_at \(command.name) \(place)' -a \(quoted(words))"
            }
        }
        return """
            # Completion of \(name) for fish. Made by: \(name) completion fish

            # The command and what stands after it, without options.
            function __\(name)_words
                set -l skip 0
                for word in (commandline -opc)[2..]
                    if test $skip = 1
                        set skip 0
                        continue
                    end
                    switch $word
                        case \(valued.joined(separator: " "))
                            set skip 1
                        case '-*'
                        case '*'
                            echo -- $word
                    end
                end
            end

            # __\(name)_at COMMAND PLACE : whether it is the turn of that operand; without both, of the command.
            function __\(name)_at
                set -l words (__\(name)_words)
                if not set -q argv[1]
                    test (count $words) -eq 0
                    return
                end
                test (count $words) -eq (math $argv[2] + 1); and test "$words[1]" = $argv[1]
            end

            function __\(name)_in
                set -l words (__\(name)_words)
                test "$words[1]" = $argv[1]
            end

            function __\(name)_offer
                set -l program (commandline -opc)[1]
                $program completion $argv 2>/dev/null
            end

            complete -c \(name) -f
            \(program.options.map { line($0, name, condition: nil) }.joined(separator: "\n"))
            \(commands.joined(separator: "\n"))
            \(options.joined(separator: "\n"))
            \(operands.joined(separator: "\n"))
            """
    }

    private static func line(_ option: OptionSyntax, _ name: String, condition: String?) -> String {
        var parts = ["complete -c \(name)"]
        if let condition { parts.append("-n '\(condition)'") }
        if let letter = option.letter { parts.append("-s \(letter)") }
        parts.append("-l \(option.name)")
        switch option.value?.kind {
        case nil: break
        case .file?: parts.append("-r -F")
        default: parts.append("-x")
        }
        parts.append("-d \(quoted(option.help))")
        return parts.joined(separator: " ")
    }

    /// What fish takes for `-a`; nil where there are no words.
    private static func words(for kind: ValueKind, _ program: ProgramSyntax) -> String? {
        let name = program.name
        return switch kind {
        case .application: "(__\(name)_offer apps)"
        case .service: "(__\(name)_offer services (__\(name)_words)[2])"
        case .operation: "(__\(name)_offer operations)"
        case .command: program.commands.map(\.name).joined(separator: " ")
        case .choice(let words): words.joined(separator: " ")
        case .file: "(__fish_complete_path)"
        case .json, .text: nil
        }
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "'"
        for character in text {
            if character == "'" || character == "\\" { quoted += "\\" }
            quoted.append(character)
        }
        return quoted + "'"
    }
}
