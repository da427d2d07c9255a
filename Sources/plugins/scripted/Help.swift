/// What `--help` prints: the behaviours, which tests rely on.
enum Help {
    static let text = """
        Usage: supervisor-plugin-scripted [--script FILE] [--journal FILE] [--name NAME] [--operations "A B"]
                                          [--reader MODE] [--terminal serve]

        A plugin for tests: it follows the plugin protocol until its script makes it break a rule.

        The options may come as [Settings] of a manifest as well, in plugin.initialize, and settings win:
        Script, Journal, Name, Operations, Reader, Terminal. An option is needed for what happens before
        plugin.initialize.

          Name        what it calls itself (default: scripted)
          Operations  what it claims to provide, separated by spaces (default: led.blink)
          Journal     a file that gets one line of JSON for everything that it receives or that happens to it:
                      {"pid":…,"ms":…,"event":"received","method":…,"id":…,"params":{…}}, and the events start,
                      response, invalid, end, terminate, behaviour and exit; ms is CLOCK_MONOTONIC
          Reader      how it reads: frames (default); reads: takes each read for one frame; lines: cuts at U+2028, NEL,
                      VT, FF and CR as well; small: refuses frames over 64 KiB; big: takes frames up to 64 MiB; strict:
                      refuses unknown members of params and unknown settings
          Terminal    serve: does not mind being started on a terminal
          Script      a file of JSON, read again for every call:
                      {"led.blink":[BEHAVIOUR,…],"*":[…],"plugin.initialize":[…]}

        A list is consumed in order, and its last behaviour repeats. The count is kept in SCRIPT.count, so that it
        outlives the process, and is reset when the script changes. "*" matches every operation that it
        provides and that has no list of its own. Without a list it behaves.

        Keys beside methods: "(unknown)" a method that it does not provide, "(uninitialized)" a call before the
        handshake, "(again)" a second plugin.initialize, "(version)" a handshake without version 1, "(refused)"
        plugin.initialized with accepted false, "(notification)" an unknown one, "(invalid)" a line that is no frame,
        "(cancel)" plugin.cancel, "(end)" the end of the input, "(terminate)" SIGTERM.

        A BEHAVIOUR is an object; its members may be combined where that makes sense.

        What it answers:
          {"reply":{…}}            this result; {} where nothing says what to answer
          {"error":{"reason":…,"message":…,"retryable":…,"detail":…,"source":…}}, or with "code" instead of reason
          {"wait":true}            nothing until it is cancelled, then -32003
          {"hang":true}            nothing, ever; other calls are answered
          {"slow":MS}              after this time; a cancel is answered at once
          {"late":MS}              after this time, cancelled or not
          {"ignoreCancel":true}    as if there were no plugin.cancel
          {"cancelTwice":true}     a cancel is answered twice
          {"twice":true}           the answer two times
          {"wrongID":true}         with an id that was never sent
          {"textID":true}          with the id as a string
          {"both":true}            with result and error in one
          {"neither":true}         with neither
          {"noVersion":true}       without "jsonrpc"
          {"oversize":true|N}      padded to a line of 1 MiB + 1, or N, bytes
          {"dieAfterBytes":N}      only the first N bytes of it, then _exit(1)
          {"silent":true}          not at all
        Beside or before it:
          {"garbage":true|"TEXT"}  a line on stdout that is no JSON
          {"stdoutText":"TEXT"}    these bytes on stdout, without a line feed of its own
          {"stderrText":"TEXT"}    a line on stderr
          {"notify":{"method":…,"params":{…}}}  a notification; a list of them for more
          {"flood":N|"forever"}    so many notifications of tcp-ping.changed; the answer comes when they are out
          {"floodErr":true|N}      lines on stderr: without end, or N
        Instead of it:
          {"crash":true}           SIGKILL
          {"exit":N}               _exit(N)
          {"closeOutput":true}     closes stdout and continues; with a socket, its half
          {"closeInput":true}      closes stdin and continues
          {"stopReading":true}     never reads again and only finishes what is under way
          {"block":true}           the whole process sleeps
        From then on:
          {"ignoreEnd":true}       the end of the input does not end it
          {"ignoreTerm":true}      nor does SIGTERM
          {"exitAfter":MS}         it exits with 0 after this time
        For plugin.initialize:
          {"badVersion":true|N}    says that it speaks version 99, or N
          {"wrongName":true|"X"}   another name
          {"extraOperation":true|"X"}  one more operation (power.reboot)
          {"wrongIdempotent":true} the contrary of the contract, for each operation
        For "(end)", "(terminate)", "(refused)": {"ignore":true}, {"exit":N}, {"late":MS} before it exits with 0.

        """
}
