import Glibc
import JSON
import Testing

/// Compares the codec with another one: the json module of Python.
///
/// Python is more lenient in a few places, which its side of the test makes up for: it takes duplicate names, NaN and
/// Infinity, numbers beyond the range of doubles and lone surrogates. It takes bytes in UTF-16 and UTF-32 too, so it is
/// handed text that was decoded strictly as UTF-8 before.
@Suite(.timeLimit(.minutes(2))) struct JSONDifferentialTests {
    /// Reads texts from the first file, each after its length in 4 bytes, big-endian. Writes for each text two fields
    /// of that form to the second: what it stands for (see `canonical`; empty for a refusal), and what Python's writer
    /// makes of it (empty where there is a double, which Python writes in another form).
    static let program = #"""
        import json, signal, struct, sys

        signal.alarm(100)

        def pairs(members):
            if len({name for name, _ in members}) != len(members):
                raise ValueError("duplicate")
            return dict(members)

        def constant(name):
            raise ValueError(name)

        def number(text):
            value = float(text)
            if value in (float("inf"), float("-inf")):
                raise ValueError("range")
            return value

        def integer(text):
            value = int(text)
            return value if -2**63 <= value < 2**63 else number(text)

        def canonical(value):
            if value is None: return "null"
            if value is True: return "true"
            if value is False: return "false"
            if isinstance(value, int): return "i%d" % value
            if isinstance(value, float):
                bits = struct.unpack(">Q", struct.pack(">d", value))[0]
                if value.is_integer() and -2.0**63 <= value < 2.0**63 and bits != 1 << 63: return "i%d" % int(value)
                return "d%d" % bits
            if isinstance(value, str): return "s" + value.encode("utf-8", "strict").hex()
            if isinstance(value, list): return "[" + ",".join(map(canonical, value)) + "]"
            return "{" + ",".join(canonical(n) + ":" + canonical(v) for n, v in value.items()) + "}"

        def has_double(value):
            if isinstance(value, list): return any(map(has_double, value))
            if isinstance(value, dict): return any(map(has_double, value.values()))
            return isinstance(value, float)

        def answer(data):
            try:
                value = json.loads(data.decode("utf-8", "strict"), object_pairs_hook=pairs, parse_constant=constant,
                                   parse_float=number, parse_int=integer)
                meaning = canonical(value)
            except ValueError:
                return b"", b""
            if has_double(value): return meaning.encode(), b""
            return meaning.encode(), json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

        with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as result:
            while head := source.read(4):
                for field in answer(source.read(struct.unpack(">I", head)[0])):
                    result.write(struct.pack(">I", len(field)) + field)
        """#

    /// A text that two values share only if they are the same. A double without a fraction counts as the integer.
    static func canonical(_ value: JSONValue) -> String {
        switch value {
        case .null: return "null"
        case .bool(let value): return value ? "true" : "false"
        case .integer(let number): return "i\(number)"
        case .double(let number):
            if let integer = Int64(exactly: number), !(number == 0 && number.sign == .minus) { return "i\(integer)" }
            return "d\(number.bitPattern)"
        case .string(let string):
            return "s" + string.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        case .array(let elements): return "[" + elements.map(canonical).joined(separator: ",") + "]"
        case .object(let object):
            return "{" + object.map { canonical(.string($0.name)) + ":" + canonical($0.value) }.joined(separator: ",")
                + "}"
        }
    }

    @Test func `Python takes the same texts and finds the same values in them`() throws {
        var samples = JSONSamples(seed: 4)
        var texts: [[UInt8]] =
            JSONParserTests.values.map { Array($0.0.utf8) } + JSONParserTests.refusals.map { Array($0.0.utf8) }
        for _ in 0..<2500 {
            let text = samples.text(of: samples.value())
            texts.append(text)
            texts.append(samples.mutated(text))
            // Small ones, which an edit breaks in more telling places.
            texts.append(samples.mutated(samples.text(of: samples.value(depth: 1))))
        }
        // What our writer makes is to be understood as well.
        texts += texts.compactMap { try? JSONValue(parsing: $0).encoded() }

        let answers = try Self.askPython(texts)
        try #require(answers.count == texts.count)
        var accepted = 0
        for (text, answer) in zip(texts, answers) {
            let value = try? JSONValue(parsing: text)
            accepted += value == nil ? 0 : 1
            let shown = String(decoding: text, as: UTF8.self).debugDescription
            #expect((value.map(Self.canonical) ?? "") == answer.meaning, "\(shown)")
            if let value, !answer.text.isEmpty {
                #expect(value.encoded() == answer.text, "\(shown)")
            }
        }
        // The comparison means something only if both kinds are there in numbers.
        #expect(accepted > 5000)
        #expect(texts.count - accepted > 2000)
    }

    struct Answer {
        /// Empty for a refusal.
        var meaning: String
        /// Empty where Python's form differs.
        var text: [UInt8]
    }

    struct PythonFailure: Error {
        var what: String
    }

    static func askPython(_ texts: [[UInt8]]) throws -> [Answer] {
        var template = Array("/tmp/json-differential-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw PythonFailure(what: "mkdtemp: errno \(errno)") }
        let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let (question, answer) = ("\(directory)/question", "\(directory)/answer")
        defer {
            unlink(question)
            unlink(answer)
            rmdir(directory)
        }
        try write(texts.flatMap { bigEndian($0.count) + $0 }, to: question)
        try run(["/usr/bin/python3", "-I", "-c", program, question, answer])

        var fields = try read(answer)[...]
        var answers: [Answer] = []
        while !fields.isEmpty {
            let meaning = try takeField(&fields)
            answers.append(
                Answer(meaning: String(decoding: meaning, as: UTF8.self), text: Array(try takeField(&fields)))
            )
        }
        return answers
    }

    private static func run(_ arguments: [String]) throws {
        var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { argv.forEach { free($0) } }
        var environment: [UnsafeMutablePointer<CChar>?] = [nil]
        var pid: pid_t = 0
        let code = posix_spawn(&pid, arguments[0], nil, nil, &argv, &environment)
        guard code == 0 else { throw PythonFailure(what: "cannot start \(arguments[0]): errno \(code)") }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 {
            guard errno == EINTR else { throw PythonFailure(what: "waitpid: errno \(errno)") }
        }
        guard status == 0 else { throw PythonFailure(what: "\(arguments[0]) ended with status \(status)") }
    }

    private static func bigEndian(_ number: Int) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
    }

    private static func takeField(_ bytes: inout ArraySlice<UInt8>) throws -> ArraySlice<UInt8> {
        let length = bytes.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        guard bytes.count >= 4 + length else { throw PythonFailure(what: "the answer is cut short") }
        defer { bytes = bytes.dropFirst(4 + length) }
        return bytes.dropFirst(4).prefix(length)
    }

    private static func write(_ bytes: [UInt8], to path: String) throws {
        guard let file = fopen(path, "w") else { throw PythonFailure(what: "\(path): errno \(errno)") }
        let written = fwrite(bytes, 1, bytes.count, file)
        guard fclose(file) == 0, written == bytes.count else { throw PythonFailure(what: "\(path): errno \(errno)") }
    }

    private static func read(_ path: String) throws -> [UInt8] {
        guard let file = fopen(path, "r") else { throw PythonFailure(what: "\(path): errno \(errno)") }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
        return bytes
    }
}
