import NIOCore

/// The requests that are open: a slot for each, named by its place and a generation that tells its tenants apart.
struct RequestTable {
    /// More than this many requests at once are refused.
    static let limit = 1 << 16

    enum Owner {
        case free
        case single((Result<NATSReply, NATSError>) -> NATSVerdict, timeout: TimeAmount)
        case fanOut(FanOut, index: Int)
    }

    private struct Slot {
        var owner = Owner.free
        var generation: UInt32 = 0
        var deadline = NIODeadline.distantFuture
        /// Of a free slot: the next one, or -1.
        var nextFree = -1
    }

    private var slots: [Slot] = []
    private var firstFree = -1
    private(set) var count = 0

    /// nil where too many are open.
    mutating func open(_ owner: Owner, deadline: NIODeadline) -> NATSRequestID? {
        let index: Int
        if firstFree >= 0 {
            index = firstFree
            firstFree = slots[index].nextFree
        } else {
            guard slots.count < Self.limit else { return nil }
            index = slots.count
            slots.append(Slot())
        }
        slots[index].owner = owner
        slots[index].deadline = deadline
        count += 1
        return NATSRequestID(slot: UInt32(index), generation: slots[index].generation)
    }

    func owner(of id: NATSRequestID) -> Owner? {
        let index = Int(id.slot)
        guard index < slots.count, slots[index].generation == id.generation else { return nil }
        if case .free = slots[index].owner { return nil }
        return slots[index].owner
    }

    mutating func renew(_ id: NATSRequestID, deadline: NIODeadline) {
        guard owner(of: id) != nil else { return }
        slots[Int(id.slot)].deadline = deadline
    }

    /// Late answers to it find nothing.
    mutating func close(_ id: NATSRequestID) {
        guard owner(of: id) != nil else { return }
        let index = Int(id.slot)
        slots[index].owner = .free
        slots[index].generation &+= 1
        slots[index].nextFree = firstFree
        firstFree = index
        count -= 1
    }

    /// Those whose deadline has passed.
    func expired(at now: NIODeadline) -> [NATSRequestID] {
        ids { $0.deadline <= now }
    }

    func all() -> [NATSRequestID] {
        ids { _ in true }
    }

    func all(of fanOut: FanOut) -> [NATSRequestID] {
        ids { slot in
            if case .fanOut(let owner, _) = slot.owner { owner === fanOut } else { false }
        }
    }

    private func ids(where matches: (Slot) -> Bool) -> [NATSRequestID] {
        slots.indices.compactMap { index in
            if case .free = slots[index].owner { return nil }
            guard matches(slots[index]) else { return nil }
            return NATSRequestID(slot: UInt32(index), generation: slots[index].generation)
        }
    }
}
