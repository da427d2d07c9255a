/// An application of a target state that cannot be used; the others can.
struct TargetRejection: Sendable, Hashable {
    /// nil where its key is no id: then it is not known which application was meant.
    var app: AppID?
    var error: TargetError
}
