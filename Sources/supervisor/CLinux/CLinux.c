#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

int clinux_peer_credentials(int descriptor, struct clinux_peer *peer) {
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
        return -1;
    peer->pid = credentials.pid;
    peer->uid = credentials.uid;
    peer->gid = credentials.gid;
    return 0;
}

int clinux_signal_descriptor(const int *signals, int count) {
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < count; i++)
        sigaddset(&set, signals[i]);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -1;
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int clinux_openat(int directory, const char *path, int flags, mode_t mode) {
    return openat(directory, path, flags, mode);
}

int clinux_open_path(int directory, const char *name) {
    return openat(directory, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int clinux_mount_id(int descriptor, uint64_t *mount) {
#ifdef STATX_MNT_ID
    struct statx status;
    if (statx(descriptor, "", AT_EMPTY_PATH, STATX_MNT_ID, &status) == 0 && (status.stx_mask & STATX_MNT_ID)) {
        *mount = status.stx_mnt_id;
        return 0;
    }
#endif
    char text[512];
    snprintf(text, sizeof text, "/proc/self/fdinfo/%d", descriptor);
    int file = open(text, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return -1;
    ssize_t length = read(file, text, sizeof text - 1);
    int code = errno;
    close(file);
    if (length < 0) {
        errno = code;
        return -1;
    }
    text[length] = 0;
    const char *found = strstr(text, "mnt_id:");
    if (found == NULL) {
        errno = ENOSYS;
        return -1;
    }
    *mount = strtoull(found + strlen("mnt_id:"), NULL, 10);
    return 0;
}

int clinux_lock_whole_file(int descriptor) {
    struct flock lock;
    memset(&lock, 0, sizeof lock);
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    return fcntl(descriptor, F_OFD_SETLK, &lock);
}

void clinux_name_thread(const char *name) {
    pthread_setname_np(pthread_self(), name);
}
