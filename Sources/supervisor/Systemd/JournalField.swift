/// What becomes of one key of a message's metadata in the journal.
struct JournalField {
    var key: String
    /// The fields that have its value (systemd.journal-fields(7)).
    var names: [String]
    /// Whether MESSAGE has it too, so that `journalctl -u`, which shows no other fields, names it.
    var staysInMessage = false
}
