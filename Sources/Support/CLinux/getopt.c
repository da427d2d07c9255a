#include "CLinux.h"

void clinux_getopt_restart(void) {
    // glibc: initialises everything anew, the rest of a cluster of short options included.
    optind = 0;
}

int clinux_getopt_long(int count, char *const *arguments, const char *short_options, const struct option *long_options,
                       struct clinux_getopt_state *state) {
    opterr = 0;
    optarg = NULL;
    int code = getopt_long(count, arguments, short_options, long_options, NULL);
    state->next = optind;
    state->culprit = optopt;
    state->value = optarg;
    return code;
}
