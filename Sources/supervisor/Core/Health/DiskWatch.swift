/// Since when the disk has been silent.
struct DiskWatch {
    /// How long a disk may take before its silence is an ailment and changes are refused. A card that an image is written to
    /// takes many seconds for a file of ours, and is none.
    static let patience: Duration = .seconds(30)
    /// How long it may take for a reader that needs the answer now.
    static let shortPatience: Duration = .seconds(5)

    /// When a read began that has not come back in time; nil since one did.
    private var silentSince: Duration?

    /// How long a read that begins now may take: the time that the disk has been silent already counts. nil where that is
    /// over.
    func limit(within patience: Duration, at now: Duration) -> Duration? {
        let limit = (silentSince ?? now) + patience - now
        return limit > .zero ? limit : nil
    }

    /// A read that began then has not come back in time. Returns whether the disk has fallen silent with that.
    mutating func fellSilent(since begun: Duration) -> Bool {
        guard silentSince == nil else { return false }
        silentSince = begun
        return true
    }

    /// A read came back that was given up. Returns since when the disk was silent; nil where it was not.
    mutating func answered() -> Duration? {
        defer { silentSince = nil }
        return silentSince
    }

    /// nil while the disk answers well enough.
    func ailment(at now: Duration) -> String? {
        guard let silentSince, now - silentSince >= Self.patience else { return nil }
        return "The disk has not answered for \((now - silentSince).components.seconds) s"
    }
}
