import NIOCore
import SupervisorCore
import SupervisorEventLoop
import SupervisorPluginAPI
import SupervisorPorts

/// From the wish to have the plugin to its connection: the program is started, or its socket is connected to.
extension SupervisedPlugin {
    func launch() {
        isLaunched = true
        lastExit = nil
        switch manifest.launch {
        case .socket(let path):
            switch SocketLauncher(path: path).connect() {
            case .connected(let descriptor): talk(over: descriptor)
            case .absent(let reason, let isRefused): events.append(.missing(reason, isRefused: isRefused))
            case .failed(let reason): events.append(.failed(reason))
            }
        case .executable(let path, let arguments):
            let launcher = ExecLauncher(
                path: path,
                arguments: arguments,
                descriptorLimit: dependencies.descriptorLimit
            )
            let (bound, worker) = (LoopBound(self, dependencies.executor), dependencies.worker)
            launching = Task(executorPreference: dependencies.executor) {
                let outcome: Result<ExecLauncher.Child, LaunchError>
                do {
                    outcome = try await worker.run { Result { () throws(LaunchError) in try launcher.launch() } }
                } catch {
                    outcome = .failure(LaunchError(description: "cannot start \(path): \(error)"))
                }
                bound.value.launched(outcome)
            }
        }
    }

    private func launched(_ outcome: Result<ExecLauncher.Child, LaunchError>) {
        launching = nil
        switch outcome {
        case .failure(let failure):
            post(.failed(failure.description))
        case .success(let child):
            process = ChildProcess(pid: child.pid)
            DiagnosticReader.start(
                child.diagnostics,
                on: dependencies.executor.loop,
                logger: logger,
                requestName: { [weak self] id in
                    Int64(id).flatMap { self?.connection?.table[$0] }?.requestID
                }
            )
            if mustDestroy { process?.destroy() }
            talk(over: child.socket)
            // It is no longer wanted.
            if state != .starting {
                connection?.close()
                process?.destroy()
            }
            reap()
        }
    }

    private func talk(over descriptor: Int32) {
        connection = PluginConnection.open(
            descriptor,
            manifest: manifest,
            greeting: greeting,
            clock: dependencies.clock,
            on: dependencies.executor.loop,
            delegate: self
        )
    }
}

extension SupervisedPlugin: PluginConnectionDelegate {
    func connectionIsReady(_ connection: PluginConnection) {
        version = connection.version
        post(.connected)
        report(self, .ready)
        pump()
    }

    func connectionHasRoom(_ connection: PluginConnection) {
        pump()
    }

    func connection(_ connection: PluginConnection, notified method: String, _ parameters: JSONObject) {
        report(self, .notification(method: method, parameters))
    }

    func connectionIsShutDown(_ connection: PluginConnection) {
        post(.drained)
    }
}
