import SupervisorPorts
import TestSupport

extension ManualClock: SupervisorClock {
    package var wallSeconds: Int64 { 1_700_000_000 }
}
