import LinuxSupport

/// A redsocks.conf: sections of keys with values, in the order of the file (parser_run of redsocks 0.5).
///
/// What the sections and keys are called is not looked at, so that files for other versions can be read, too.
struct RedsocksConfiguration: Hashable {
    struct Entry: Hashable {
        var key: String
        var value: [UInt8]
        /// Where the value stands, from 1; 0 for what comes from no file.
        var line = 0

        init(_ key: String, _ value: String) {
            self.init(key: key, value: Array(value.utf8), line: 0)
        }

        init(key: String, value: [UInt8], line: Int) {
            self.key = key
            self.value = value
            self.line = line
        }
    }

    struct Section: Hashable {
        var name: String
        var entries: [Entry]
        /// Where it begins, from 1; 0 for what comes from no file.
        var line = 0
        /// What stands in the file, with its comments; empty for what comes from no file.
        var text: [UInt8] = []

        /// Of a key that is given twice, redsocks takes the last.
        func entry(_ key: String) -> Entry? { entries.last { $0.key.isExactly(key) } }
    }

    var sections: [Section]

    init(_ sections: [Section]) {
        self.sections = sections
    }

    // MARK: Reading

    init(parsing text: [UInt8]) throws(RedsocksSyntaxError) {
        var tokenizer = RedsocksTokenizer(text)
        var state = ParserState()
        while let token = try Self.next(&tokenizer, state) {
            do throws(RedsocksSyntaxError.Kind.Failure) {
                try state.take(token, tokenizer.line, text, tokenizer.range)
            } catch {
                throw RedsocksSyntaxError(kind: error.kind, line: tokenizer.line)
            }
        }
        if let section = state.section { throw RedsocksSyntaxError(kind: .unclosedSection, line: section.line) }
        if let name = state.name { throw RedsocksSyntaxError(kind: .nameWithoutSection, line: name.line) }
        sections = state.sections
    }

    /// Between sections, redsocks waits for the rest of a word that is not finished, and so ignores all that comes after.
    private static func next(
        _ tokenizer: inout RedsocksTokenizer,
        _ state: ParserState
    ) throws(RedsocksSyntaxError) -> RedsocksTokenizer.Token? {
        do throws(RedsocksSyntaxError) {
            return try tokenizer.next()
        } catch {
            let isUnfinished = error.kind == .unclosedQuote || error.kind == .unfinishedNumber
            guard isUnfinished, state.section == nil, state.name == nil else { throw error }
            return nil
        }
    }

    private struct ParserState {
        var sections: [Section] = []
        /// A name whose brace has not come yet.
        var name: (text: String, line: Int, start: Int)?
        /// Where the section that is open began.
        var start = 0
        var section: Section?
        var key: String?
        var value: (bytes: [UInt8], line: Int)?

        mutating func take(
            _ token: RedsocksTokenizer.Token,
            _ line: Int,
            _ text: [UInt8],
            _ range: Range<Int>
        ) throws(RedsocksSyntaxError.Kind.Failure) {
            switch token {
            case .word(let word): try take(word, line, range)
            case .open:
                guard section == nil else { throw .init(.sectionInSection) }
                guard let name else { throw .init(.sectionWithoutName) }
                section = Section(name: name.text, entries: [], line: name.line)
                start = name.start
                self.name = nil
            case .close:
                guard var section else { throw .init(.nothingToClose) }
                guard key == nil else { throw .init(.missingSemicolon) }
                section.text = Array(text[start..<range.upperBound])
                sections.append(section)
                self.section = nil
            case .assign:
                // Noise, wherever it stands after a key.
                guard section != nil else { throw .init(.outsideOfSection) }
                guard key != nil else { throw .init(.assignmentWithoutKey) }
            case .semicolon:
                guard section != nil else { throw .init(.outsideOfSection) }
                guard let key else { throw .init(.emptyStatement) }
                guard let value else { throw .init(.keyWithoutValue) }
                section?.entries.append(Entry(key: key, value: value.bytes, line: value.line))
                self.key = nil
                self.value = nil
            }
        }

        private mutating func take(
            _ word: [UInt8],
            _ line: Int,
            _ range: Range<Int>
        ) throws(RedsocksSyntaxError.Kind.Failure) {
            if section == nil {
                guard name == nil else { throw .init(.nameWithoutSection) }
                name = (String(decoding: word, as: UTF8.self), line, range.lowerBound)
            } else if key == nil {
                key = String(decoding: word, as: UTF8.self)
            } else {
                guard value == nil else { throw .init(.missingSemicolon) }
                value = (word, line)
            }
        }
    }

    // MARK: Writing

    /// With every value in quotes and escaped; reads back as the same. A value that is exactly one of { } = ; // /* cannot
    /// be expressed: redsocks takes it for punctuation in quotes, too (`ProxySettings` refuses these).
    var encoded: [UInt8] {
        var text: [UInt8] = []
        for section in sections {
            text += Array("\(section.name) {\n".utf8)
            for entry in section.entries {
                text += Array("\t\(entry.key) = ".utf8) + Self.quoted(entry.value) + Array(";\n".utf8)
            }
            text += Array("}\n".utf8)
        }
        return text
    }

    static func quoted(_ value: [UInt8]) -> [UInt8] {
        var text = [UInt8(ascii: "\"")]
        for byte in value {
            switch byte {
            case UInt8(ascii: "\n"): text += Array("\\n".utf8)
            case UInt8(ascii: "\r"): text += Array("\\r".utf8)
            case UInt8(ascii: "\t"): text += Array("\\t".utf8)
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): text += [UInt8(ascii: "\\"), byte]
            default: text.append(byte)
            }
        }
        return text + [UInt8(ascii: "\"")]
    }
}

extension RedsocksSyntaxError.Kind {
    /// What the parser found, before it is known where.
    fileprivate struct Failure: Error {
        let kind: RedsocksSyntaxError.Kind
        init(_ kind: RedsocksSyntaxError.Kind) { self.kind = kind }
    }
}
