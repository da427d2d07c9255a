/// Why a check does not pass.
enum CheckError: Error {
    case failed(String)
    case skipped(String)
}
