/// What is to be done next. Stages come one after another; after each the engine is asked again.
package struct UpdatePlan: Sendable, Hashable {
    /// Images to get while everything runs on.
    package var downloads: [UpdateStep] = []
    /// Steps that stop something that lives: they need the update locks, all of them or none.
    package var disruptions: [UpdateStep] = []
    /// Steps that stop nothing that lives, or only what has handed over.
    package var additions: [UpdateStep] = []
    /// Successors to be started beside their predecessors: the update locks must be free.
    package var handOvers: [UpdateStep] = []
    /// Services that wait for something whose change will be reported: a dependency, or a predecessor that has not
    /// handed over yet.
    package var waits: Set<ServiceKey> = []
    /// Of those, the ones whose predecessor and successor both live.
    package var handingOver: Set<ServiceKey> = []

    package init() {}

    /// Whether the device differs from its target by more than a container that has to be started.
    package var isPending: Bool {
        !downloads.isEmpty || !disruptions.isEmpty || !handOvers.isEmpty || !waits.isEmpty
            || additions.contains { if case .start = $0 { false } else { true } }
    }

    /// Whether there is nothing to do now.
    package var isEmpty: Bool {
        downloads.isEmpty && disruptions.isEmpty && additions.isEmpty && handOvers.isEmpty
    }
}
