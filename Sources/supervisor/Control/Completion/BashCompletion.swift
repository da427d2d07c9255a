import SupervisorCommandLine

/// The script with which bash completes a program's arguments; needs nothing but bash 4.
enum BashCompletion {
    static func script(for program: ProgramSyntax) -> String {
        let name = program.name
        let valued = program.everyOption.filter { $0.value != nil }
        let files = valued.filter { $0.value?.kind == .file }.flatMap(words).joined(separator: " | ")
        let common = program.options.flatMap(words).joined(separator: " ")
        let options = program.commands.filter { !$0.options.isEmpty }.map { command in
            "        \(command.name)) options+=' \(command.options.flatMap(words).joined(separator: " "))' ;;"
        }
        let operands = program.commands.flatMap { command in
            command.operands.enumerated().compactMap { place, operand in
                words(for: operand.kind, program).map { "    \(command.name):\(place)) \($0) ;;" }
            }
        }
        return """
            # Completion of \(name) for bash. Made by: \(name) completion bash

            # _\(name)_offer COMMAND... : the words that it prints, what stands after a tab left out.
            _\(name)_offer() {
                local line
                while IFS= read -r line; do
                    line=${line%%$'\\t'*}
                    [[ $line == "$word"* ]] && COMPREPLY+=("$(printf %q "$line")")
                done < <("$@" 2>/dev/null)
            }

            _\(name)() {
                local word=${COMP_WORDS[COMP_CWORD]} program=$1 command='' first='' pending='' place=0 i options
                COMPREPLY=()
                for ((i = 1; i < COMP_CWORD; i++)); do
                    # --option=value is three words here.
                    [[ ${COMP_WORDS[i]} == = ]] && continue
                    if [[ -n $pending ]]; then
                        pending=
                        continue
                    fi
                    case ${COMP_WORDS[i]} in
                    \(valued.flatMap(words).joined(separator: " | "))) pending=${COMP_WORDS[i]} ;;
                    -*) ;;
                    *)
                        if [[ -z $command ]]; then
                            command=${COMP_WORDS[i]}
                        else
                            ((place++ == 0)) && first=${COMP_WORDS[i]}
                        fi
                        ;;
                    esac
                done
                [[ $word == = ]] && word=
                case $pending in
                '') ;;
                \(files))
                    compopt -o filenames 2>/dev/null
                    mapfile -t COMPREPLY < <(compgen -f -- "$word")
                    return
                    ;;
                *) return ;;
                esac
                if [[ $word == -* ]]; then
                    options='\(common)'
                    case $command in
            \(options.joined(separator: "\n"))
                    esac
                    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
                    return
                fi
                case $command:$place in
                :0) mapfile -t COMPREPLY < <(compgen -W '\(program.commands.map(\.name).joined(separator: " "))' -- "$word") ;;
            \(operands.joined(separator: "\n"))
                esac
            }

            complete -F _\(name) \(name)
            """
    }

    /// What offers the words of this kind; nil where there are none.
    private static func words(for kind: ValueKind, _ program: ProgramSyntax) -> String? {
        switch kind {
        case .application: "_\(program.name)_offer \"$program\" completion apps"
        case .service: "_\(program.name)_offer \"$program\" completion services \"$first\""
        case .operation: "_\(program.name)_offer \"$program\" completion operations"
        case .choice(let words): chosen(words)
        case .command: chosen(program.commands.map(\.name))
        case .file: "mapfile -t COMPREPLY < <(compgen -f -- \"$word\")"
        case .json, .text: nil
        }
    }

    private static func chosen(_ words: [String]) -> String {
        "mapfile -t COMPREPLY < <(compgen -W '\(words.joined(separator: " "))' -- \"$word\")"
    }

    private static func words(_ option: OptionSyntax) -> [String] {
        (option.letter.map { ["-\($0)"] } ?? []) + ["--\(option.name)"]
    }
}
