#define _GNU_SOURCE
#include "CLinux.h"

#include <stdlib.h>

int clinux_open_terminal(int *controller, int *terminal) {
    int own = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (own < 0)
        return -1;
    char name[64];
    if (grantpt(own) < 0 || unlockpt(own) < 0 || ptsname_r(own, name, sizeof name) != 0)
        goto failed;
    int other = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (other < 0)
        goto failed;
    *controller = own;
    *terminal = other;
    return 0;
failed:
    close(own);
    return -1;
}
