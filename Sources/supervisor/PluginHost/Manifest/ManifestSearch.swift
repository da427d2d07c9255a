import Glibc
import UnitFile

/// Finds the manifests of a search path. Blocks: reads files.
struct ManifestSearch: Sendable {
    var searchPath: [String]
    var deviceType: String
    /// The user that may own an executable besides root.
    var user: uid_t = geteuid()

    /// What is found under one name.
    struct Finding: Sendable, Hashable {
        enum Verdict: Sendable, Hashable {
            case usable(PluginManifest)
            /// The manifest is for another board.
            case unmatched(PluginManifest, reason: String)
            /// The manifest is right, but what it names must not run.
            case refused(PluginManifest, reason: String)
            case invalid(reason: String, isEssential: Bool)
            case masked
        }

        var name: String
        /// The manifest or its mask.
        var file: String
        var verdict: Verdict
    }

    struct Outcome: Sendable {
        /// In the order of their names, each once.
        var findings: [Finding] = []
        /// Directories that cannot be read.
        var problems: [String] = []
        var warnings: [String] = []
    }

    private static let suffix = ".plugin"

    func run() -> Outcome {
        var outcome = Outcome()
        var files: Set<String> = []
        for directory in searchPath {
            do throws(UnitFileError) {
                files.formUnion(try UnitSearchPath([directory]).names(suffix: Self.suffix))
            } catch {
                outcome.problems.append(error.description)
            }
        }
        for file in files.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
            if let finding = look(at: file, &outcome) { outcome.findings.append(finding) }
        }
        return outcome
    }

    private func look(at file: String, _ outcome: inout Outcome) -> Finding? {
        let name = String(file.dropLast(Self.suffix.count))
        do throws(UnitFileError) {
            switch try UnitSearchPath(searchPath).unit(named: file) {
            case .absent: return nil
            case .masked(let path): return Finding(name: name, file: path, verdict: .masked)
            case .loaded(let path, let unit):
                let reader = ManifestReader(unit, name: name, path: path)
                outcome.warnings += reader.warnings()
                do throws(UnitFileError) {
                    return Finding(name: name, file: path, verdict: verdict(on: try reader.read()))
                } catch {
                    let essential = reader.looksEssential
                    return Finding(
                        name: name,
                        file: path,
                        verdict: .invalid(reason: error.description, isEssential: essential)
                    )
                }
            }
        } catch {
            return Finding(
                name: name,
                file: error.file,
                verdict: .invalid(reason: error.description, isEssential: false)
            )
        }
    }

    private func verdict(on manifest: PluginManifest) -> Finding.Verdict {
        guard manifest.deviceType.matches(deviceType) else {
            return .unmatched(
                manifest,
                reason: "[Match] DeviceType is \(manifest.deviceType), this device is \(deviceType)"
            )
        }
        guard case .executable(let path, _) = manifest.launch else { return .usable(manifest) }
        do throws(ExecutableError) {
            close(try TrustedExecutable.open(path, user: user))
            return .usable(manifest)
        } catch {
            return .refused(manifest, reason: error.description)
        }
    }
}
