public import NIOCore

extension NATSClient {
    private static let sweepInterval = TimeAmount.milliseconds(50)
    /// How many requests of a fan-out are written in one turn of the loop.
    private static let requestsInTurn = 1000

    /// Sends a request.
    ///
    /// - Parameters:
    ///   - deadline: For the first reply, and again for each further one.
    ///   - receive: Gets each reply, or an error, which is the last that it gets. Returns whether it waits for more.
    /// - Throws: `notConnected`, `overloaded`, `payloadTooLarge` and `invalid`; nothing was sent then.
    @discardableResult
    public func request(
        _ request: NATSRequest,
        deadline: TimeAmount,
        _ receive: @escaping (Result<NATSReply, NATSError>) -> NATSVerdict
    ) throws(NATSError) -> NATSRequestID {
        try open(request, .single(receive, timeout: deadline), deadline)
    }

    /// Forgets a request: `receive` is not called any more.
    public func cancel(_ id: NATSRequestID) {
        requests.close(id)
        finishDrain()
    }

    /// Sends many requests and hands out what becomes of each, in batches and in no order.
    ///
    /// - Parameters:
    ///   - requests: Taken one by one, as the window has room.
    ///   - window: How many are open at once.
    ///   - deadline: For each.
    ///   - batch: How many results are handed out at once, at most. Fewer come where no more are there.
    ///   - done: Called once, after the last results.
    @discardableResult
    public func fanOut(
        _ requests: some Sequence<NATSRequest>,
        window: Int = 1000,
        deadline: TimeAmount,
        batch: Int = 256,
        results: @escaping ([NATSFanOutResult]) -> Void,
        done: @escaping () -> Void
    ) -> NATSFanOutID {
        var iterator = requests.makeIterator()
        nextFanOut += 1
        let fanOut = FanOut(
            id: NATSFanOutID(number: nextFanOut),
            window: window,
            deadline: deadline,
            batch: batch,
            next: { iterator.next() },
            results: results,
            done: done
        )
        fanOuts.append(fanOut)
        schedule(fanOut)
        return fanOut.id
    }

    /// Sends no more; what is open ends as `cancelled`.
    public func cancel(_ id: NATSFanOutID) {
        guard let fanOut = fanOuts.first(where: { $0.id == id }) else { return }
        fanOut.stop()
        for request in requests.all(of: fanOut) {
            finish(request, .failure(NATSError(.cancelled, "the request was cancelled")))
        }
        pump()
    }

    private func open(
        _ request: NATSRequest,
        _ owner: RequestTable.Owner,
        _ deadline: TimeAmount
    ) throws(NATSError) -> NATSRequestID {
        guard configuration.makesRequests else { throw NATSError(.invalid, "this client makes no requests") }
        let connection = try ready(request.subject, request.headers, request.payload)
        guard let id = requests.open(owner, deadline: .now() + deadline) else {
            throw NATSError(.overloaded, "\(RequestTable.limit) requests are open, which is as many as there may be")
        }
        let inbox = inbox
        connection.write { buffer in
            Self.writeHead(request.subject, request.headers, request.payload, to: &buffer) { buffer in
                buffer.writeString(inbox)
                Self.writeNumber(Int(id.slot), to: &buffer)
                buffer.writeInteger(UInt8(ascii: "."))
                Self.writeNumber(Int(id.generation), to: &buffer)
                buffer.writeInteger(UInt8(ascii: " "))
            }
            Self.writeBody(request.headers, request.payload, to: &buffer)
        }
        if !isSweeping {
            isSweeping = true
            scheduleSweep()
        }
        return id
    }

    /// One task for the deadlines of all requests, as long as some are open.
    private func scheduleSweep() {
        loop.assumeIsolated().scheduleTask(in: Self.sweepInterval) {
            for id in self.requests.expired(at: .now()) {
                self.finish(id, .failure(NATSError(.deadlineExceeded, "no answer came in time")))
            }
            self.pump()
            self.finishDrain()
            if self.requests.count > 0 {
                self.scheduleSweep()
            } else {
                self.isSweeping = false
            }
        }
    }

    /// A message to the inbox. One that belongs to no open request came too late, and is dropped.
    func receivedReply(_ message: ServerFrame.Message) {
        guard let id = requestID(in: message.subject) else { return }
        let headers = NATSHeaders(block: message.headers)
        if message.payload.readableBytes == 0, headers.status == 503 {
            return finish(id, .failure(NATSError(.noResponders, "nothing serves the subject")))
        }
        finish(id, .success(NATSReply(headers: headers, payload: message.payload)))
    }

    private func requestID(in subject: ByteBuffer) -> NATSRequestID? {
        let offset = inbox.utf8.count
        return subject.withUnsafeReadableBytes { bytes in
            var (numbers, index) = ((UInt32(0), UInt32(0)), offset)
            var isSecond = false
            while index < bytes.count {
                let byte = bytes[index]
                index += 1
                if byte == UInt8(ascii: "."), !isSecond {
                    isSecond = true
                    (numbers.0, numbers.1) = (numbers.1, 0)
                    continue
                }
                let (product, isTooLarge) = numbers.1.multipliedReportingOverflow(by: 10)
                let (sum, overflows) = product.addingReportingOverflow(UInt32(byte &- 0x30))
                guard byte.isDigit, !isTooLarge, !overflows else { return nil }
                numbers.1 = sum
            }
            return isSecond ? NATSRequestID(slot: numbers.0, generation: numbers.1) : nil
        }
    }

    /// Closes a request, or not, where it waits for more.
    private func finish(_ id: NATSRequestID, _ result: Result<NATSReply, NATSError>) {
        switch requests.owner(of: id) {
        case nil, .free: break
        case .fanOut(let fanOut, let index):
            requests.close(id)
            fanOut.finished(index, result)
        case .single(let receive, let timeout):
            if case .failure = result {
                requests.close(id)
                _ = receive(result)
            } else if receive(result) == .more {
                requests.renew(id, deadline: .now() + timeout)
            } else {
                requests.close(id)
            }
        }
    }

    /// All requests end, since the connection has.
    func failRequests(_ error: NATSError) {
        for id in requests.all() { finish(id, .failure(error)) }
        pump()
    }

    /// Hands out what has been collected, and sends what the windows have room for.
    func pump() {
        guard !fanOuts.isEmpty else { return }
        for fanOut in fanOuts { send(fanOut) }
        let over = fanOuts.filter(\.isOver)
        guard !over.isEmpty else { return }
        fanOuts.removeAll(where: \.isOver)
        for fanOut in over { fanOut.end() }
    }

    private func send(_ fanOut: FanOut) {
        guard !fanOut.isScheduled else { return fanOut.handOut() }
        var sent = 0
        while sent < Self.requestsInTurn, (connection?.backlog ?? 0) < configuration.outgoingLimit / 2,
            let (index, request) = fanOut.take()
        {
            sent += 1
            do throws(NATSError) {
                _ = try open(request, .fanOut(fanOut, index: index), fanOut.deadline)
            } catch {
                fanOut.finished(index, .failure(error))
            }
        }
        fanOut.handOut()
        if sent == Self.requestsInTurn { schedule(fanOut) }
    }

    private func schedule(_ fanOut: FanOut) {
        fanOut.isScheduled = true
        loop.assumeIsolated().execute {
            fanOut.isScheduled = false
            self.pump()
        }
    }

    /// The kernel has taken what was written.
    func hasRoom() {
        pump()
    }
}

extension UInt8 {
    fileprivate var isDigit: Bool { (0x30...0x39).contains(self) }
}
