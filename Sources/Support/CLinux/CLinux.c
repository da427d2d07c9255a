#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#if __has_include(<linux/openat2.h>)
#include <linux/openat2.h>
#endif

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

int clinux_rename_noreplace(const char *from, const char *to) {
    // RENAME_NOREPLACE of rename(2).
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 1u);
}

int clinux_open_any_path(int directory, const char *path) {
    return openat(directory, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

int clinux_is_known_absent(const char *path) {
#ifdef RESOLVE_CACHED
    struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_CACHED};
    long descriptor = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
    if (descriptor < 0)
        return errno == ENOENT || errno == ENOTDIR;
    close((int)descriptor);
#endif
    return 0;
}

int clinux_is_in_memory(const char *path) {
    struct statfs status;
    if (statfs(path, &status) < 0)
        return 0;
    return status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC;
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

int clinux_pipe(int descriptors[2]) {
    return pipe2(descriptors, O_CLOEXEC);
}

static void close_from(unsigned first) {
    if (syscall(SYS_close_range, first, ~0U, 0) == 0)
        return;
    // Linux before 5.9.
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    for (rlim_t descriptor = first; descriptor < limit.rlim_cur; descriptor++)
        close((int)descriptor);
}

// Runs on its parent's memory until the exec (vfork(2)): system calls only, and nothing but `error` is written that the
// parent reads. Whatever the parent's threads do meanwhile, no lock of theirs is taken here.
__attribute__((noreturn, noinline)) static void run_child(const struct clinux_spawn *request, volatile int *error) {
    // Past glibc, which refuses to touch the two signals that it keeps to itself, though a parent may have left them
    // ignored. All zeros is SIG_DFL, whatever the order of the kernel's members.
    static const long standard[16];
    for (int signal = 1; signal < NSIG; signal++)
        syscall(SYS_rt_sigaction, signal, standard, NULL, NSIG / 8);

    // Out of the way of 0 to 3, which are about to be given away.
    int input_output = fcntl(request->input_output, F_DUPFD_CLOEXEC, 10);
    int diagnostics = fcntl(request->diagnostics, F_DUPFD_CLOEXEC, 10);
    int executable = fcntl(request->executable, F_DUPFD_CLOEXEC, 10);
    if (input_output < 0 || diagnostics < 0 || executable < 0)
        goto failed;
    if (dup2(input_output, 0) < 0 || dup2(input_output, 1) < 0 || dup2(diagnostics, 2) < 0)
        goto failed;
    if (dup3(executable, 3, request->keeps_executable ? 0 : O_CLOEXEC) < 0)
        goto failed;
    close_from(4);

    if (request->descriptor_limit > 0) {
        struct rlimit limit;
        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
            goto failed;
        limit.rlim_cur = request->descriptor_limit;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
            goto failed;
    }
    if (setsid() < 0 || chdir("/") < 0)
        goto failed;
    umask(022);

    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    syscall(SYS_execveat, 3, "", request->arguments, request->environment, AT_EMPTY_PATH);
failed:
    *error = errno;
    _exit(127);
}

int clinux_spawn(const struct clinux_spawn *request, pid_t *pid) {
    // A handler of ours must not run in the child, where it would work on our memory.
    sigset_t all, former;
    sigfillset(&all);
    int code = pthread_sigmask(SIG_SETMASK, &all, &former);
    if (code != 0)
        return code;
    volatile int error = 0;
    pid_t child = vfork();
    if (child == 0)
        run_child(request, &error);
    int vfork_error = errno;
    pthread_sigmask(SIG_SETMASK, &former, NULL);
    if (child < 0)
        return vfork_error;
    if (error != 0) {
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
        }
        return error;
    }
    *pid = child;
    return 0;
}
