// What `import Glibc` does not offer: Linux system calls and constants that the Swift overlay leaves out.
#ifndef SUPERVISOR_CLINUX_H
#define SUPERVISOR_CLINUX_H

#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>
#include <unistd.h>

/// SO_BINDTOIFINDEX of socket(7): bind a socket to one interface by its index.
#define CLINUX_SO_BINDTOIFINDEX 62

/// O_PATH of open(2) is hidden behind _GNU_SOURCE; the same on every architecture that Swift runs on.
#define CLINUX_O_PATH 010000000

/// `struct ucred` is hidden behind _GNU_SOURCE.
struct clinux_peer {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

/// SO_PEERCRED of unix(7). 0, or -1 with errno.
int clinux_peer_credentials(int descriptor, struct clinux_peer *peer);

/// signalfd(2) with SFD_NONBLOCK and SFD_CLOEXEC over the given signals, which are blocked first for the
/// calling thread and all that it starts. The descriptor, or -1 with errno.
int clinux_signal_descriptor(const int *signals, int count);

/// open(2) and openat(2) are variadic, which Swift does not import.
int clinux_openat(int directory, const char *path, int flags, mode_t mode);

/// Opens an object without access to its content (O_PATH of open(2), hidden behind _GNU_SOURCE): a directory, through no
/// link. The descriptor, or -1 with errno.
int clinux_open_path(int directory, const char *name);

/// The same for an object of any kind, a link itself included. The descriptor, or -1 with errno.
int clinux_open_any_path(int directory, const char *path);

/// Renames what is at `from`, unless something is at `to` (renameat2(2), RENAME_NOREPLACE). 0, or -1 with errno.
int clinux_rename_noreplace(const char *from, const char *to);

/// Whether `path`, through no link at its end, certainly names nothing, from what the kernel has in memory: no disk is
/// asked (openat2(2) with RESOLVE_CACHED, Linux 5.12). 0 where something is there, or only who waits for the disk can tell.
int clinux_is_known_absent(const char *path);

/// Whether `path` is on a file system that is in memory as a whole, a tmpfs or ramfs: looking there never waits for a disk.
int clinux_is_in_memory(const char *path);

/// The id of the mount that an open file was reached through: STATX_MNT_ID of statx(2), or proc(5) where the kernel is
/// older than 5.8. Tells a bind mount of the same file system apart. 0, or -1 with errno.
int clinux_mount_id(int descriptor, uint64_t *mount);

/// An exclusive open-file-description lock over the whole file (F_OFD_SETLK of fcntl(2)), without waiting.
/// 0, or -1 with errno.
int clinux_lock_whole_file(int descriptor);

/// Names the calling thread (pthread_setname_np(3), hidden behind _GNU_SOURCE); the kernel keeps 15 bytes.
void clinux_name_thread(const char *name);

/// A pair of pty(7), which is nobody's controlling terminal. 0, or -1 with errno.
int clinux_open_terminal(int *controller, int *terminal);

/// pipe2(2) with O_CLOEXEC. 0, or -1 with errno.
int clinux_pipe(int descriptors[2]);

/// Where getopt_long(3) is; its own variables are unsafe in Swift's eyes.
struct clinux_getopt_state {
    /// `optind`: the argument that is read next.
    int next;
    /// `optopt`
    int culprit;
    /// `optarg`
    const char *value;
};

/// Has the next clinux_getopt_long begin with the first argument.
void clinux_getopt_restart(void);

/// getopt_long(3), silent. It keeps its place for itself: one command line at a time in the whole process.
int clinux_getopt_long(int count, char *const *arguments, const char *short_options, const struct option *long_options,
                       struct clinux_getopt_state *state);

/// What a child process is made of.
struct clinux_spawn {
    /// The program, opened with O_PATH; what was checked is what runs.
    int executable;
    /// Whether the program stays open as descriptor 3, which the interpreter of a script needs: the kernel hands it
    /// "/dev/fd/3" (execveat(2), BUGS).
    int keeps_executable;
    /// Becomes descriptors 0 and 1.
    int input_output;
    /// Becomes descriptor 2.
    int diagnostics;
    /// Soft limit of open files; 0 leaves it.
    uint64_t descriptor_limit;
    /// Ended by NULL.
    char *const *arguments;
    /// Ended by NULL.
    char *const *environment;
};

/// Starts a child in a session of its own, with default signal dispositions, an empty signal mask, "/" as its working
/// directory, umask 022, and no descriptors but those named. Returns 0 and the child's id, or the errno of what failed,
/// the exec included; no child is left then.
int clinux_spawn(const struct clinux_spawn *request, pid_t *pid);

/// Unmaps the code that this process has touched so far, its own and its libraries': what is needed again is mapped again
/// from the page cache (MADV_DONTNEED of madvise(2) on mappings that nobody can write to).
void clinux_forget_code(void);

#endif
