/// How a check ends that does not pass.
enum CheckError: Error {
    case failed(String)
    case skipped(String)
}
