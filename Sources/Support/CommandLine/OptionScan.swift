import CLinux
import Glibc
import Synchronization

/// The options and operands of a command line in their order, found by getopt_long(3).
enum OptionScan {
    enum Item: Hashable {
        case operand(String)
        /// The value is nil where the option takes none.
        case option(OptionSyntax, value: String?)
        case missingValue(OptionSyntax)
        case unwantedValue(OptionSyntax)
        /// As written, without its value.
        case unknown(String)

        fileprivate var isFault: Bool {
            switch self {
            case .operand, .option: false
            case .missingValue, .unwantedValue, .unknown: true
            }
        }
    }

    /// getopt_long(3) keeps its place in variables of the process.
    private static let turn = Mutex(())
    /// What getopt_long(3) answers for long options: their place in the table from here on. Below are the letters.
    private static let firstLongOption: Int32 = 256
    private static let nothingMore: Int32 = -1
    private static let operand: Int32 = 1

    /// Up to the first fault. No two options have the same name or letter.
    static func items(in arguments: [String], options: [OptionSyntax]) -> [Item] {
        turn.withLock { _ in scan(arguments, options) }
    }

    private static func scan(_ arguments: [String], _ options: [OptionSyntax]) -> [Item] {
        let names = options.map { strdup($0.name) }
        // Not read by getopt_long(3), which begins after it.
        let words = [strdup("")] + arguments.map { strdup($0) } + [nil]
        defer { (names + words).forEach { free($0) } }
        let table =
            zip(options, names).enumerated().map { index, entry in
                option(
                    name: UnsafePointer(entry.1),
                    has_arg: entry.0.value == nil ? no_argument : required_argument,
                    flag: nil,
                    val: firstLongOption + Int32(index)
                )
            } + [option()]
        // "-": operands in their place among the options. ":": a missing value has an answer of its own.
        let letters = options.reduce(into: "-:") { letters, option in
            guard let letter = option.letter else { return }
            letters += option.value == nil ? "\(letter)" : "\(letter):"
        }

        var items: [Item] = []
        var state = clinux_getopt_state(next: 1, culprit: 0, value: nil)
        clinux_getopt_restart()
        while items.last?.isFault != true {
            let place = Int(state.next)
            let code = clinux_getopt_long(Int32(words.count - 1), words, letters, table, &state)
            guard code != nothingMore else {
                items += arguments[(Int(state.next) - 1)...].map(Item.operand)
                break
            }
            let value = state.value.map { String(cString: $0) }
            items.append(item(code, state.culprit, written: arguments[place - 1], value, options))
        }
        return items
    }

    private static func item(
        _ code: Int32,
        _ culprit: Int32,
        written: String,
        _ value: String?,
        _ options: [OptionSyntax]
    ) -> Item {
        if code == operand { return .operand(written) }
        let isFault = code == Int32(UInt8(ascii: "?")) || code == Int32(UInt8(ascii: ":"))
        let name = written.utf8.starts(with: "--".utf8) ? String(written.prefix { $0 != "=" }) : written
        guard let option = named(by: isFault ? culprit : code, written: name, options) else { return .unknown(name) }
        return switch code {
        case Int32(UInt8(ascii: ":")): .missingValue(option)
        case Int32(UInt8(ascii: "?")): .unwantedValue(option)
        default: .option(option, value: option.value == nil ? nil : value)
        }
    }

    /// The option that getopt_long(3) means by `code`; nil where it took an abbreviation for it.
    private static func named(by code: Int32, written: String, _ options: [OptionSyntax]) -> OptionSyntax? {
        guard code >= firstLongOption else {
            return options.first { $0.letter?.asciiValue.map(Int32.init) == code }
        }
        let option = options[Int(code - firstLongOption)]
        return written == "--\(option.name)" ? option : nil
    }
}
