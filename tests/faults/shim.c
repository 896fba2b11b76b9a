/*
 * A disk that fails on request, and one that remembers: loaded with LD_PRELOAD into a program under test.
 *
 * It stands between the program and the C library for everything that changes files below one folder, and counts those
 * calls. Everything else passes through. It is C because Rust's way to do this needs `unsafe`, which this project forbids
 * itself. Calls are made with syscall(2), so that nothing has to be looked up and nothing of the shim calls itself.
 *
 *   SHIM_FOLDER   the folder, an absolute path without links. Without it nothing is counted.
 *   SHIM_FAIL     NUMBER:ERRNO:once     call NUMBER (from 1) fails with that errno (a number)
 *                 NUMBER:ERRNO:ever     that call and every one after it
 *                 NUMBER:ERRNO:short    as `ever`, but a write stores its first half, up to a border of 512 bytes (a disk
 *                                       writes no less), and says so before it all ends
 *                 NUMBER:0:kill         SIGKILL instead of that call
 *   SHIM_STRUCK   a file that is made when SHIM_FAIL comes to pass; holds the name of the call and the file
 *   SHIM_TRACE    a file to which every change, sync and line on standard output is appended (see `note` below)
 *   SHIM_CLOCK    seconds to add to the time of day
 *
 * Not seen: what is written through mmap (SQLite's -shm, which holds nothing that a crash must not take), and programs
 * that make system calls without the C library.
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
#include <time.h>
#include <unistd.h>

enum { SECTOR = 512 };

/* One call at a time, so that the trace has the order in which things happened. */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static const char *folder, *struck;
static size_t folder_len;
static long number_to_fail, errno_to_give, calls, clock_offset_s;
static enum { ONCE, EVER, SHORT, KILL } manner;
static int trace = -1;

__attribute__((constructor)) static void set_up(void) {
    const char *fail = getenv("SHIM_FAIL"), *path = getenv("SHIM_TRACE"), *offset = getenv("SHIM_CLOCK");
    char how[8] = "";
    folder = getenv("SHIM_FOLDER");
    folder_len = folder ? strlen(folder) : 0;
    struck = getenv("SHIM_STRUCK");
    if (fail && sscanf(fail, "%ld:%ld:%7s", &number_to_fail, &errno_to_give, how) == 3)
        manner = !strcmp(how, "once") ? ONCE : !strcmp(how, "ever") ? EVER : !strcmp(how, "short") ? SHORT : KILL;
    if (path)
        trace = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (offset)
        clock_offset_s = atol(offset);
}

/* ---- which calls count ------------------------------------------------------------------------------------------- */

static int is_below(const char *path) {
    return folder && !strncmp(path, folder, folder_len) && (path[folder_len] == '/' || path[folder_len] == 0);
}

/* The path behind a descriptor, or "" if it is none of ours. A file that was removed counts under its last name. */
static int path_of(int fd, char path[PATH_MAX]) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = 0;
    if (!is_below(path))
        path[0] = 0;
    return path[0] != 0;
}

static void report(const char *call, const char *path) {
    int fd = struck ? syscall(SYS_openat, AT_FDCWD, struck, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return;
    syscall(SYS_write, fd, call, strlen(call));
    syscall(SYS_write, fd, " ", 1);
    syscall(SYS_write, fd, path, strlen(path));
    syscall(SYS_close, fd);
}

/* Counts a call; 0 if it is to be made, 1 if it has to fail (errno is set), 2 if a write is to be cut in half. */
static int fails(const char *call, const char *path) {
    calls++;
    if (!number_to_fail || calls < number_to_fail || (manner == ONCE && calls > number_to_fail))
        return 0;
    if (calls == number_to_fail)
        report(call, path);
    if (manner == KILL)
        kill(getpid(), SIGKILL);
    errno = errno_to_give;
    return manner == SHORT && calls == number_to_fail && strstr(call, "write") ? 2 : 1;
}

/* ---- the trace --------------------------------------------------------------------------------------------------- */

/*
 * Appends one event: kind (1 byte), inode and place (8 bytes each), length (4), all little-endian on the machines that
 * this runs on, then `length` bytes. Kinds:
 *
 *   W inode offset bytes    written            C inode - name         made, empty
 *   T inode length          cut or extended    L inode - name         a further name
 *   S inode                 synced             U -     - name         name removed
 *   D                       folder synced      R -     - from\0to     name changed
 *   A - - bytes             written to standard output
 */
static void note(char kind, uint64_t inode, uint64_t place, const void *bytes, uint32_t length) {
    char head[21];
    if (trace < 0)
        return;
    head[0] = kind;
    memcpy(head + 1, &inode, 8);
    memcpy(head + 9, &place, 8);
    memcpy(head + 17, &length, 4);
    struct iovec parts[2] = {{head, sizeof head}, {(void *)bytes, length}};
    syscall(SYS_writev, trace, parts, 2);
}

static void note_name(char kind, uint64_t inode, const char *path) {
    note(kind, inode, 0, path, strlen(path));
}

static uint64_t inode_of(int fd) {
    struct stat about;
    return fstat(fd, &about) ? 0 : about.st_ino;
}

static uint64_t inode_at(const char *path) {
    struct stat about;
    return lstat(path, &about) ? 0 : about.st_ino;
}

/* How many bytes of a write are stored when it is cut short: up to a border of sectors around its middle. */
static size_t first_half(off_t place, size_t length) {
    off_t border = (place + (off_t)length / 2) / SECTOR * SECTOR;
    return border > place ? (size_t)(border - place) : 0;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static ssize_t write_at(const char *call, int fd, const void *bytes, size_t length, off_t place) {
    char path[PATH_MAX];
    if (!path_of(fd, path))
        return syscall(SYS_pwrite64, fd, bytes, length, place);
    pthread_mutex_lock(&turn);
    int failing = fails(call, path);
    if (failing == 2 && !(length = first_half(place, length)))
        failing = 1;
    ssize_t done = failing == 1 ? -1 : syscall(SYS_pwrite64, fd, bytes, length, place);
    if (done > 0)
        note('W', inode_of(fd), place, bytes, done);
    pthread_mutex_unlock(&turn);
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t place) { return write_at("pwrite", fd, bytes, length, place); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t place) { return write_at("pwrite", fd, bytes, length, place); }

ssize_t write(int fd, const void *bytes, size_t length) {
    char path[PATH_MAX];
    if (fd == STDOUT_FILENO && trace >= 0) {
        /* Noted before it is made: whoever reads it may act on it at once. */
        pthread_mutex_lock(&turn);
        note('A', 0, 0, bytes, length);
        pthread_mutex_unlock(&turn);
    }
    if (!path_of(fd, path))
        return syscall(SYS_write, fd, bytes, length);
    pthread_mutex_lock(&turn);
    off_t place = lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    int failing = fails("write", path);
    if (failing == 2 && !(length = first_half(place, length)))
        failing = 1;
    ssize_t done = failing == 1 ? -1 : syscall(SYS_write, fd, bytes, length);
    if (done > 0)
        note('W', inode_of(fd), place, bytes, done);
    pthread_mutex_unlock(&turn);
    return done;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    char path[PATH_MAX];
    if (!path_of(fd, path) && fd != STDOUT_FILENO)
        return syscall(SYS_writev, fd, parts, count);
    /* One part at a time is what a short write looks like: callers must cope with it. */
    for (int i = 0; i < count; i++)
        if (parts[i].iov_len)
            return write(fd, parts[i].iov_base, parts[i].iov_len);
    return 0;
}

static int resize(int fd, off_t length) {
    char path[PATH_MAX];
    if (!path_of(fd, path))
        return syscall(SYS_ftruncate, fd, length);
    pthread_mutex_lock(&turn);
    int done = fails("ftruncate", path) ? -1 : syscall(SYS_ftruncate, fd, length);
    if (!done)
        note('T', inode_of(fd), length, "", 0);
    pthread_mutex_unlock(&turn);
    return done;
}

int ftruncate(int fd, off_t length) { return resize(fd, length); }
int ftruncate64(int fd, off64_t length) { return resize(fd, length); }

/* Space that is reserved without a change of size (FALLOC_FL_KEEP_SIZE) leaves no trace. */
static int reserve(int fd, int mode, off_t place, off_t length) {
    char path[PATH_MAX];
    struct stat about;
    if (!path_of(fd, path))
        return syscall(SYS_fallocate, fd, mode, place, length);
    pthread_mutex_lock(&turn);
    int done = fails("fallocate", path) ? -1 : syscall(SYS_fallocate, fd, mode, place, length);
    if (!done && !fstat(fd, &about))
        note('T', about.st_ino, about.st_size, "", 0);
    pthread_mutex_unlock(&turn);
    return done;
}

int fallocate(int fd, int mode, off_t place, off_t length) { return reserve(fd, mode, place, length); }
int fallocate64(int fd, int mode, off64_t place, off64_t length) { return reserve(fd, mode, place, length); }
int posix_fallocate(int fd, off_t place, off_t length) { return reserve(fd, 0, place, length) ? errno : 0; }
int posix_fallocate64(int fd, off64_t place, off64_t length) { return reserve(fd, 0, place, length) ? errno : 0; }

/* Counted, because a mapping can fail for want of space; what is written through it is not seen. */
void *mmap(void *start, size_t length, int protection, int flags, int fd, off_t place) {
    char path[PATH_MAX];
    if (fd >= 0 && protection & PROT_WRITE && flags & MAP_SHARED && path_of(fd, path)) {
        pthread_mutex_lock(&turn);
        int failing = fails("mmap", path);
        pthread_mutex_unlock(&turn);
        if (failing)
            return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, start, length, protection, flags, fd, place);
}

void *mmap64(void *start, size_t length, int protection, int flags, int fd, off64_t place) {
    return mmap(start, length, protection, flags, fd, place);
}

/* ---- syncing ----------------------------------------------------------------------------------------------------- */

static int make_durable(const char *call, long how, int fd) {
    char path[PATH_MAX];
    struct stat about;
    if (!path_of(fd, path))
        return syscall(how, fd);
    pthread_mutex_lock(&turn);
    int done = fails(call, path) ? -1 : syscall(how, fd);
    if (!done && !fstat(fd, &about))
        note(S_ISDIR(about.st_mode) ? 'D' : 'S', about.st_ino, 0, "", 0);
    pthread_mutex_unlock(&turn);
    return done;
}

int fsync(int fd) { return make_durable("fsync", SYS_fsync, fd); }
int fdatasync(int fd) { return make_durable("fdatasync", SYS_fdatasync, fd); }

/* ---- names ------------------------------------------------------------------------------------------------------- */

static int open_at(int at, const char *path, int flags, mode_t mode) {
    if (!(flags & O_CREAT) || !is_below(path))
        return syscall(SYS_openat, at, path, flags, mode);
    pthread_mutex_lock(&turn);
    int is_new = !inode_at(path);
    int fd = fails("open", path) ? -1 : syscall(SYS_openat, at, path, flags, mode);
    if (fd >= 0 && is_new)
        note_name('C', inode_of(fd), path);
    else if (fd >= 0 && flags & O_TRUNC)
        note('T', inode_of(fd), 0, "", 0);
    pthread_mutex_unlock(&turn);
    return fd;
}

/* The mode is there only if a file may be made. */
#define MODE_OF(flags)                                                                                                 \
    mode_t mode = 0;                                                                                                   \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {                                                                           \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        mode = va_arg(more, mode_t);                                                                                   \
        va_end(more);                                                                                                  \
    }

int open(const char *path, int flags, ...) { MODE_OF(flags) return open_at(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE_OF(flags) return open_at(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE_OF(flags) return open_at(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE_OF(flags) return open_at(at, path, flags, mode); }

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    char both[2 * PATH_MAX];
    if (!is_below(to))
        return syscall(SYS_renameat2, from_at, from, to_at, to, flags);
    pthread_mutex_lock(&turn);
    int done = fails("rename", to) ? -1 : syscall(SYS_renameat2, from_at, from, to_at, to, flags);
    if (!done) {
        int length = snprintf(both, sizeof both, "%s%c%s", from, 0, to);
        note('R', 0, 0, both, length);
    }
    pthread_mutex_unlock(&turn);
    return done;
}

int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int from_at, const char *from, int to_at, const char *to) { return renameat2(from_at, from, to_at, to, 0); }

int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
    if (!is_below(to))
        return syscall(SYS_linkat, from_at, from, to_at, to, flags);
    pthread_mutex_lock(&turn);
    int done = fails("link", to) ? -1 : syscall(SYS_linkat, from_at, from, to_at, to, flags);
    if (!done)
        note_name('L', inode_at(to), to);
    pthread_mutex_unlock(&turn);
    return done;
}

int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlinkat(int at, const char *path, int flags) {
    if (!is_below(path))
        return syscall(SYS_unlinkat, at, path, flags);
    pthread_mutex_lock(&turn);
    int is_there = inode_at(path) != 0;
    /* Removing what is not there changes nothing, whatever the disk does. */
    int done = is_there && fails("unlink", path) ? -1 : syscall(SYS_unlinkat, at, path, flags);
    if (!done)
        note_name('U', 0, path);
    pthread_mutex_unlock(&turn);
    return done;
}

int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int remove(const char *path) { return unlinkat(AT_FDCWD, path, 0); }

/* ---- the clock --------------------------------------------------------------------------------------------------- */

int clock_gettime(clockid_t clock, struct timespec *time) {
    int done = syscall(SYS_clock_gettime, clock, time);
    if (!done && clock == CLOCK_REALTIME)
        time->tv_sec += clock_offset_s;
    return done;
}
