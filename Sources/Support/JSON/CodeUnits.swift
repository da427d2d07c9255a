/// A string that is equal to another only if both have the same code units, as RFC 8259, section 8.3 compares names.
///
/// `String` itself compares by canonical equivalence, which takes time that grows with the square of a run of combining
/// marks: a name of 100 KiB of them would stop the event loop for seconds.
struct CodeUnits: Hashable {
    var text: String

    init(_ text: String) {
        self.text = text
    }

    static func == (a: CodeUnits, b: CodeUnits) -> Bool {
        a.text.utf8.count == b.text.utf8.count && a.text.utf8.elementsEqual(b.text.utf8)
    }

    func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}
