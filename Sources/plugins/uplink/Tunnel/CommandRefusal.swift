/// A command that is not done, with the answer that says why.
struct CommandRefusal: Error, Sendable {
    /// nil where the command has none that can be read.
    var id: String?
    var status: Int
    var text: String
    /// It has certainly not reached the supervisor, so that it may be sent again.
    var mayComeAgain = false

    init(_ id: String?, _ status: Int, _ text: String, mayComeAgain: Bool = false) {
        self.id = id
        self.status = status
        self.text = text
        self.mayComeAgain = mayComeAgain
    }
}
