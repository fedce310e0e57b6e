/*
 * What a server does to the files below a directory, written down as it happens: preloaded
 * into the server, so that a test can work out which states of the disk a power cut may
 * leave (disk.rs). Syncs only end up in the journal, after a delay; the kernel is not asked.
 * It must never let a change of a file pass that it does not write down: what it cannot
 * describe ends the process.
 *
 *   POWERCUT_ROOT         the directory; its own creation is watched too
 *   POWERCUT_JOURNAL      the journal, made by the test
 *   POWERCUT_SYNC_US      how long a sync takes, in microseconds
 *   POWERCUT_AFTER        SIGKILL to itself after so many records; 0 or unset: never
 *   POWERCUT_IGNORE_SYNC  `data`: fsync and fdatasync of files do nothing, and say that they
 *                         did; `directory`: those of directories; `all`
 *
 * A record of the journal, of the machine's endianness (journal.rs):
 *   u32 kind, u32 bytes of path, u64 inode, u64 number, u64 bytes of data, path, data
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { CREATE = 1, MKDIR, WRITE, TRUNCATE, RENAME, UNLINK, RMDIR, SYNC };

struct header {
    uint32_t kind, path_bytes;
    uint64_t inode, number, data_bytes;
};

#define MOST_FDS 65536
#define EXPORT __attribute__((visibility("default")))

/* Held over a change and its record: the journal's order is the disk's. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned char watched[MOST_FDS];
static char root[PATH_MAX], parent[PATH_MAX];
static int journal = -1;
static uint64_t records, cut_after;
static long sync_us;
static int ignores_data, ignores_directory;

static void die(const char *why) {
    (void)!syscall(SYS_write, 2, "powercut: ", 10);
    (void)!syscall(SYS_write, 2, why, strlen(why));
    (void)!syscall(SYS_write, 2, "\n", 1);
    _exit(99);
}

static long env_number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

__attribute__((constructor)) static void begin(void) {
    const char *where = getenv("POWERCUT_ROOT"), *to = getenv("POWERCUT_JOURNAL");
    const char *ignored = getenv("POWERCUT_IGNORE_SYNC");
    if (!where || !to || where[0] != '/' || strlen(where) >= PATH_MAX)
        die("POWERCUT_ROOT and POWERCUT_JOURNAL have to be set, absolute");
    strcpy(root, where);
    strcpy(parent, where);
    *strrchr(parent, '/') = 0;
    sync_us = env_number("POWERCUT_SYNC_US");
    cut_after = (uint64_t)env_number("POWERCUT_AFTER");
    ignores_data = ignored && (!strcmp(ignored, "data") || !strcmp(ignored, "all"));
    ignores_directory = ignored && (!strcmp(ignored, "directory") || !strcmp(ignored, "all"));
    journal = (int)syscall(SYS_openat, AT_FDCWD, to, O_WRONLY | O_APPEND | O_CLOEXEC, 0);
    if (journal < 0)
        die("the journal cannot be opened");
}

/* Whether a path is the directory, or below it. */
static int is_ours(const char *path) {
    size_t len = strlen(root);
    return !strncmp(path, root, len) && (path[len] == 0 || path[len] == '/');
}

/* A path as the journal has it: from the directory's parent on. */
static const char *below(const char *path) {
    return path + strlen(parent) + 1;
}

static int is_watched(int fd) {
    return fd >= 0 && fd < MOST_FDS && watched[fd];
}

/* Appends a record; called with the lock held. */
static void note(enum kind kind, const char *path, uint64_t inode, uint64_t number, const struct iovec *data,
                 int pieces, size_t data_bytes) {
    struct header header = {kind, path ? strlen(path) : 0, inode, number, data_bytes};
    struct iovec out[2 + 64];
    if (pieces > 64)
        die("more than 64 pieces in one write");
    out[0] = (struct iovec){&header, sizeof header};
    out[1] = (struct iovec){(void *)path, header.path_bytes};
    size_t left = data_bytes, total = sizeof header + header.path_bytes + data_bytes;
    for (int i = 0; i < pieces; i++) {
        size_t len = data[i].iov_len < left ? data[i].iov_len : left;
        out[2 + i] = (struct iovec){data[i].iov_base, len};
        left -= len;
    }
    /* A process that is killed meanwhile tears the record: the reader leaves it out. */
    if (syscall(SYS_writev, journal, out, 2 + pieces) != (long)total)
        die("the journal is full");
    if (++records == cut_after) {
        kill(getpid(), SIGKILL);
        for (;;)
            pause();
    }
}

static uint64_t inode_of(int fd, int *is_directory) {
    struct stat found;
    if (fstat(fd, &found))
        die("a file that is open has no inode");
    if (is_directory)
        *is_directory = S_ISDIR(found.st_mode);
    return found.st_ino;
}

static int open_file(int at, const char *path, int flags, mode_t mode) {
    int ours = path[0] == '/' && (is_ours(path) || !strcmp(path, parent));
    if (!ours)
        return (int)syscall(SYS_openat, at, path, flags, mode);
    pthread_mutex_lock(&lock);
    struct stat before;
    int is_new = fstatat(AT_FDCWD, path, &before, 0) && errno == ENOENT;
    int fd = (int)syscall(SYS_openat, at, path, flags, mode);
    int error = errno;
    if (fd >= MOST_FDS)
        die("too many open files to watch");
    if (fd >= 0) {
        watched[fd] = 1;
        if (is_new)
            note(CREATE, below(path), inode_of(fd, NULL), 0, NULL, 0, 0);
        else if ((flags & O_TRUNC) && before.st_size > 0)
            note(TRUNCATE, NULL, inode_of(fd, NULL), 0, NULL, 0, 0);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return fd;
}

#define MODE_OF(flags, mode)                                                                                  \
    mode_t mode = 0;                                                                                          \
    if (((flags) & O_CREAT) || ((flags) & O_TMPFILE) == O_TMPFILE) {                                           \
        va_list rest;                                                                                          \
        va_start(rest, flags);                                                                                 \
        mode = va_arg(rest, mode_t);                                                                           \
        va_end(rest);                                                                                          \
    }

EXPORT int open(const char *path, int flags, ...) {
    MODE_OF(flags, mode)
    return open_file(AT_FDCWD, path, flags, mode);
}

EXPORT int open64(const char *path, int flags, ...) {
    MODE_OF(flags, mode)
    return open_file(AT_FDCWD, path, flags, mode);
}

EXPORT int openat(int at, const char *path, int flags, ...) {
    MODE_OF(flags, mode)
    return open_file(at, path, flags, mode);
}

EXPORT int openat64(int at, const char *path, int flags, ...) {
    MODE_OF(flags, mode)
    return open_file(at, path, flags, mode);
}

EXPORT int creat(const char *path, mode_t mode) {
    return open_file(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

EXPORT int close(int fd) {
    if (fd >= 0 && fd < MOST_FDS)
        watched[fd] = 0;
    return (int)syscall(SYS_close, fd);
}

/* A write to a place that the file offset says: -1. */
static ssize_t write_pieces(int fd, const struct iovec *data, int pieces, off_t offset) {
    int follows = offset < 0;
    if (!is_watched(fd))
        return follows ? syscall(SYS_writev, fd, data, pieces)
                       : syscall(SYS_pwritev, fd, data, pieces, offset, 0);
    pthread_mutex_lock(&lock);
    if (follows) {
        struct stat found;
        offset = (fcntl(fd, F_GETFL) & O_APPEND) && !fstat(fd, &found) ? found.st_size : lseek(fd, 0, SEEK_CUR);
    }
    ssize_t written = follows ? syscall(SYS_writev, fd, data, pieces)
                              : syscall(SYS_pwritev, fd, data, pieces, offset, 0);
    int error = errno;
    if (written > 0)
        note(WRITE, NULL, inode_of(fd, NULL), (uint64_t)offset, data, pieces, (size_t)written);
    pthread_mutex_unlock(&lock);
    errno = error;
    return written;
}

EXPORT ssize_t write(int fd, const void *data, size_t len) {
    struct iovec piece = {(void *)data, len};
    return is_watched(fd) ? write_pieces(fd, &piece, 1, -1) : syscall(SYS_write, fd, data, len);
}

EXPORT ssize_t writev(int fd, const struct iovec *data, int pieces) {
    return write_pieces(fd, data, pieces, -1);
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t len, off_t offset) {
    struct iovec piece = {(void *)data, len};
    return write_pieces(fd, &piece, 1, offset);
}

EXPORT ssize_t pwrite64(int fd, const void *data, size_t len, off64_t offset) {
    return pwrite(fd, data, len, offset);
}

EXPORT ssize_t pwritev(int fd, const struct iovec *data, int pieces, off_t offset) {
    return write_pieces(fd, data, pieces, offset);
}

EXPORT ssize_t pwritev64(int fd, const struct iovec *data, int pieces, off64_t offset) {
    return write_pieces(fd, data, pieces, offset);
}

EXPORT int ftruncate(int fd, off_t len) {
    pthread_mutex_lock(&lock);
    int outcome = (int)syscall(SYS_ftruncate, fd, len), error = errno;
    if (!outcome && is_watched(fd))
        note(TRUNCATE, NULL, inode_of(fd, NULL), (uint64_t)len, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    errno = error;
    return outcome;
}

EXPORT int ftruncate64(int fd, off64_t len) {
    return ftruncate(fd, len);
}

/* What was noted before it began is on disk when it ends. */
static int sync_file(int fd) {
    int is_directory;
    uint64_t inode = inode_of(fd, &is_directory);
    pthread_mutex_lock(&lock);
    uint64_t covered = records;
    pthread_mutex_unlock(&lock);
    if (sync_us > 0)
        usleep((useconds_t)sync_us);
    if (is_directory ? ignores_directory : ignores_data)
        return 0;
    pthread_mutex_lock(&lock);
    note(SYNC, NULL, inode, covered, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    return 0;
}

EXPORT int fsync(int fd) {
    return is_watched(fd) ? sync_file(fd) : (int)syscall(SYS_fsync, fd);
}

EXPORT int fdatasync(int fd) {
    return is_watched(fd) ? sync_file(fd) : (int)syscall(SYS_fdatasync, fd);
}

/* Promises nothing: neither the disk's cache nor the file's length. */
EXPORT int sync_file_range(int fd, off64_t offset, off64_t len, unsigned flags) {
    return is_watched(fd) ? 0 : (int)syscall(SYS_sync_file_range, fd, offset, len, flags);
}

EXPORT int rename(const char *from, const char *to) {
    if (!is_ours(from) && !is_ours(to))
        return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (!is_ours(from) || !is_ours(to))
        die("a rename into or out of the directory");
    char both[2 * PATH_MAX];
    /* One path a line. */
    snprintf(both, sizeof both, "%s\n%s", below(from), below(to));
    pthread_mutex_lock(&lock);
    int outcome = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0), error = errno;
    if (!outcome)
        note(RENAME, both, 0, 0, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    errno = error;
    return outcome;
}

static int remove_entry(const char *path, int flags) {
    pthread_mutex_lock(&lock);
    int outcome = (int)syscall(SYS_unlinkat, AT_FDCWD, path, flags), error = errno;
    if (!outcome && is_ours(path))
        note(flags ? RMDIR : UNLINK, below(path), 0, 0, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    errno = error;
    return outcome;
}

EXPORT int unlink(const char *path) {
    return remove_entry(path, 0);
}

EXPORT int rmdir(const char *path) {
    return remove_entry(path, AT_REMOVEDIR);
}

EXPORT int mkdir(const char *path, mode_t mode) {
    pthread_mutex_lock(&lock);
    int outcome = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode), error = errno;
    struct stat made;
    if (!outcome && is_ours(path) && !stat(path, &made))
        note(MKDIR, below(path), made.st_ino, 0, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    errno = error;
    return outcome;
}

EXPORT int unlinkat(int at, const char *path, int flags) {
    if (path[0] == '/')
        return remove_entry(path, flags);
    if (is_watched(at))
        die("unlinkat is not described in the journal");
    return (int)syscall(SYS_unlinkat, at, path, flags);
}

/* What bowline and its libraries do not do today. Whoever begins to is told at once. */

EXPORT int link(const char *from, const char *to) {
    if (is_ours(from) || is_ours(to))
        die("link is not described in the journal");
    return (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}

EXPORT int fallocate(int fd, int mode, off_t offset, off_t len) {
    if (is_watched(fd))
        die("fallocate is not described in the journal");
    return (int)syscall(SYS_fallocate, fd, mode, offset, len);
}

EXPORT int fallocate64(int fd, int mode, off64_t offset, off64_t len) {
    return fallocate(fd, mode, offset, len);
}

EXPORT int posix_fallocate(int fd, off_t offset, off_t len) {
    return fallocate(fd, 0, offset, len) ? errno : 0;
}

EXPORT int posix_fallocate64(int fd, off64_t offset, off64_t len) {
    return posix_fallocate(fd, offset, len);
}

EXPORT ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t len, unsigned flags) {
    if (is_watched(out))
        die("copy_file_range is not described in the journal");
    return syscall(SYS_copy_file_range, in, from, out, to, len, flags);
}

EXPORT void *mmap(void *addr, size_t len, int protection, int flags, int fd, off_t offset) {
    if (is_watched(fd) && (flags & MAP_SHARED) && (protection & PROT_WRITE))
        die("a writable mapping is not described in the journal");
    return (void *)syscall(SYS_mmap, addr, len, protection, flags, fd, offset);
}

EXPORT void *mmap64(void *addr, size_t len, int protection, int flags, int fd, off64_t offset) {
    return mmap(addr, len, protection, flags, fd, offset);
}
