/// What is to be done next. Stages come one after another; after each the engine is asked again.
public struct UpdatePlan: Sendable, Hashable {
    /// Images to get while everything runs on.
    public var downloads: [UpdateStep] = []
    /// Steps that stop something that lives: they need the update locks, all of them or none.
    public var disruptions: [UpdateStep] = []
    /// Steps that stop nothing that lives, or only what has handed over.
    public var additions: [UpdateStep] = []
    /// Successors to be started beside their predecessors: the update locks must be free.
    public var handOvers: [UpdateStep] = []
    /// Services that wait for something of which there will be news: a dependency, or a predecessor that has not handed
    /// over yet.
    public var waits: Set<ServiceKey> = []
    /// Of those, the ones whose predecessor and successor both live.
    public var handingOver: Set<ServiceKey> = []

    public init() {}

    /// Whether the device differs from its target by more than a container that has to be started.
    public var isPending: Bool {
        !downloads.isEmpty || !disruptions.isEmpty || !handOvers.isEmpty || !waits.isEmpty
            || additions.contains { if case .start = $0 { false } else { true } }
    }

    /// Whether there is nothing to do now.
    public var isEmpty: Bool {
        downloads.isEmpty && disruptions.isEmpty && additions.isEmpty && handOvers.isEmpty
    }
}
