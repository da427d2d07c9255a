@testable import SupervisorCore

extension UpdatePlanner {
    /// For services that need neither networks nor volumes.
    static func plan(current: CurrentState, target: [DesiredService]?) -> UpdatePlan {
        plan(current: current, target: target.map { DesiredState(services: $0) })
    }
}
