/// Which commands were done, and the answers of the latest.
struct CommandMemory {
    /// Bytes of all answers together.
    static let answersLimit = 64 << 10

    enum Standing {
        case new
        /// Under way; its answer comes.
        case underWay
        case done(CommandAnswer?)
    }

    private var done: Set<String> = []
    /// In the order in which they were begun.
    private var order: [String] = []
    private var underWay: Set<String> = []
    private var answers: [(id: String, answer: CommandAnswer)] = []
    private var answersSize = 0

    /// Ids are printable ASCII, so that comparing them is linear.
    init(done ids: [String]) {
        for id in ids { remember(id) }
    }

    func standing(of id: String) -> Standing {
        if underWay.contains(id) { return .underWay }
        guard done.contains(id) else { return .new }
        return .done(answers.first { $0.id == id }?.answer)
    }

    mutating func begin(_ id: String) {
        underWay.insert(id)
        remember(id)
    }

    /// It was not passed on, and may come again.
    mutating func forget(_ id: String) {
        underWay.remove(id)
        done.remove(id)
        order.removeAll { $0 == id }
    }

    mutating func finish(_ id: String, _ answer: CommandAnswer?) {
        underWay.remove(id)
        guard let answer, answer.bytes.count <= Self.answersLimit else { return }
        answers.append((id, answer))
        answersSize += answer.bytes.count
        while answersSize > Self.answersLimit { answersSize -= answers.removeFirst().answer.bytes.count }
    }

    private mutating func remember(_ id: String) {
        guard done.insert(id).inserted else { return }
        order.append(id)
        while order.count > CommandJournal.capacity {
            let oldest = order.removeFirst()
            done.remove(oldest)
        }
    }
}
