@testable import SupervisorCore

extension UpdatePlanner {
    /// For services that need neither networks nor volumes.
    static func plan(current: CurrentState, target: [ResolvedService]?) -> UpdatePlan {
        plan(current: current, target: target.map { ResolvedTarget(services: $0) })
    }
}
