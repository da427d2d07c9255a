import Glibc
import TestSupport

extension TemporaryDirectory {
    /// Returns the path of the link.
    @discardableResult
    func link(_ name: String, to target: String) -> String {
        makeParent(of: name)
        precondition(symlink(target, self[name]) == 0, name)
        return self[name]
    }

    @discardableResult
    func makeFIFO(_ name: String) -> String {
        makeParent(of: name)
        precondition(mkfifo(self[name], 0o600) == 0, name)
        return self[name]
    }

    private func makeParent(of name: String) {
        if let slash = name.lastIndex(of: "/") { directory(String(name[..<slash])) }
    }
}
