import LinuxSupport

extension UnitFile {
    /// The largest file that is read, in bytes.
    public static let sizeLimit = 1 << 20

    /// Reads the text of a file. `file` is its path, for locations and errors.
    ///
    /// Follows systemd.syntax(7), but for what it ignores with a warning, this refuses: a line that is neither section
    /// header nor assignment, an assignment before the first section, an unfinished header. Lines may end in CR LF, the
    /// text may begin with a byte order mark. NUL and bytes that are not UTF-8 are refused, and so are names of sections and
    /// keys that are not printable ASCII of at most 255 bytes.
    public init(parsing bytes: [UInt8], file: String) throws(UnitFileError) {
        self.init()
        guard bytes.count <= Self.sizeLimit else {
            throw UnitFileError(.unreadable, file: file, reason: "the file is larger than \(Self.sizeLimit) bytes")
        }
        let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let text = bytes.starts(with: byteOrderMark) ? bytes.dropFirst(3) : bytes[...]
        // A line that continues on the next one, with the number of the line on which it began.
        var continued: (line: Int, bytes: [UInt8])?
        var number = 0
        for var line in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            // In the midst of a continued line, too.
            if Self.isComment(line) {
                try Self.check(line, at: Location(file: file, line: number))
                continue
            }
            var whole = continued ?? (number, [])
            // Appending to bytes that are kept elsewhere, too, would copy them for each line.
            continued = nil
            whole.bytes += line
            if Self.endsInContinuation(whole.bytes) {
                whole.bytes[whole.bytes.count - 1] = UInt8(ascii: " ")
                continued = whole
            } else {
                try take(whole.bytes, at: Location(file: file, line: whole.line))
            }
        }
        if let continued { try take(continued.bytes, at: Location(file: file, line: continued.line)) }
    }

    private mutating func take(_ line: [UInt8], at location: Location) throws(UnitFileError) {
        let line = try Self.check(line[...], at: location)
        let text = Self.trimmed(line.unicodeScalars[...])
        if text.isEmpty { return }
        if text.first == "[" {
            guard text.last == "]", text.count > 2 else {
                throw Self.malformed("a section header must have the form [NAME]", location)
            }
            let section = String(text.dropFirst().dropLast())
            try Self.check(name: section, at: location)
            headers.append(Header(section: section, location: location))
            return
        }
        guard let sign = text.firstIndex(of: "=") else {
            throw Self.malformed("expected [SECTION], KEY=VALUE or a comment", location)
        }
        let key = Self.trimmed(text[..<sign])
        guard !key.isEmpty else { throw Self.malformed("the key before '=' is missing", location) }
        guard let section = headers.last?.section else {
            throw Self.malformed("an assignment before the first [SECTION]", location)
        }
        try Self.check(name: String(key), at: location)
        let value = Self.trimmed(text[text.index(after: sign)...])
        assignments.append(Assignment(section: section, key: String(key), text: String(value), location: location))
    }

    @discardableResult
    private static func check(_ line: ArraySlice<UInt8>, at location: Location) throws(UnitFileError) -> String {
        guard !line.contains(0) else { throw malformed("the line contains a NUL byte", location) }
        guard let text = String(validating: line, as: UTF8.self) else {
            throw malformed("the line is not valid UTF-8", location)
        }
        return text
    }

    private static func check(name: String, at location: Location) throws(UnitFileError) {
        guard name.isPrintableASCII(upTo: 255) else {
            throw malformed("the name of a section or key must be printable ASCII of at most 255 bytes", location)
        }
    }

    private static func malformed(_ reason: String, _ location: Location) -> UnitFileError {
        UnitFileError(.malformed, file: location.file, line: location.line, reason: reason)
    }

    private static func isComment(_ line: ArraySlice<UInt8>) -> Bool {
        let first = line.first { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }
        return first == UInt8(ascii: "#") || first == UInt8(ascii: ";")
    }

    /// A backslash that another one escapes does not continue the line.
    private static func endsInContinuation(_ line: [UInt8]) -> Bool {
        !line.reversed().prefix { $0 == UInt8(ascii: "\\") }.count.isMultiple(of: 2)
    }

    private static func trimmed(_ text: Substring.UnicodeScalarView) -> Substring.UnicodeScalarView {
        var text = text.drop(while: isSpace)
        while let last = text.last, isSpace(last) { text.removeLast() }
        return text
    }

    static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        scalar == " " || scalar == "\t" || scalar == "\r" || scalar == "\n"
    }
}
