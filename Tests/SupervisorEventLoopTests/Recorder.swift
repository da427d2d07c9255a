import Synchronization

/// A list that several threads append to.
final class Recorder<Element: Sendable>: Sendable {
    private let list = Mutex<[Element]>([])

    var elements: [Element] { list.withLock(\.self) }

    func append(_ element: Element) { list.withLock { $0.append(element) } }
}
