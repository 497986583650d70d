/* Runs a program under ptrace, kills it before one of its system calls that change something, and records
 * what it and its children did to files, so that a test can undo the changes that a power cut would lose.
 *
 *   tracer WHOM POINT JOURNAL PROGRAM ARGUMENT...
 *
 * WHOM is killed before the call with number POINT of the program itself: `engine` (the program), `guard`
 * (the shell that watches its commands), `both`, or `all` (the program and all that it started). POINT 0
 * kills no process. JOURNAL is a directory. The tracer writes the number of calls to `JOURNAL/calls`, and a
 * line for each change to `JOURNAL/log`:
 *
 *   create PATH           mkdir PATH            link PATH
 *   rename FROM TO SAVED  unlink PATH SAVED     rmdir PATH
 *   write INODE           flush INODE SAVED     flushdir INODE
 *
 * SAVED is a link in JOURNAL to the file that was replaced or removed, or a copy of what was flushed; `-`
 * if there is none. Paths contain no blanks: the test chooses them.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/ptrace.h>

#define THREADS_MAX 4096

struct thread {
    pid_t tid, pid;
    int pending;
    long number;
    char from[PATH_MAX], to[PATH_MAX], saved[64];
    unsigned long inode;
};

static struct thread *threads[THREADS_MAX];
static pid_t root;
static const char *whom, *journal;
static long point, calls, saved_count;
static FILE *record;

static void fail(const char *what) {
    perror(what);
    exit(125);
}

static pid_t process_of(pid_t tid) {
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", tid);
    FILE *status = fopen(path, "r");
    pid_t pid = tid;
    if (!status)
        return pid;
    while (fgets(line, sizeof line, status))
        if (sscanf(line, "Tgid: %d", &pid) == 1)
            break;
    fclose(status);
    return pid;
}

static struct thread *thread_of(pid_t tid) {
    struct thread **free_place = NULL;
    for (int i = 0; i < THREADS_MAX; i++) {
        if (threads[i] && threads[i]->tid == tid)
            return threads[i];
        if (!threads[i] && !free_place)
            free_place = &threads[i];
    }
    if (!free_place)
        fail("too many threads");
    *free_place = calloc(1, sizeof(struct thread));
    (*free_place)->tid = tid;
    (*free_place)->pid = process_of(tid);
    return *free_place;
}

static void forget(pid_t tid) {
    for (int i = 0; i < THREADS_MAX; i++)
        if (threads[i] && threads[i]->tid == tid) {
            free(threads[i]);
            threads[i] = NULL;
        }
}

static void text_at(pid_t tid, uint64_t address, char *text) {
    size_t length = 0;
    while (length < PATH_MAX - 1) {
        /* Does not read across the end of a page, because the next page may not be mapped. */
        size_t piece = 256 - (address + length) % 256;
        if (piece > PATH_MAX - 1 - length)
            piece = PATH_MAX - 1 - length;
        struct iovec here = {text + length, piece};
        struct iovec there = {(void *)(uintptr_t)(address + length), piece};
        ssize_t got = process_vm_readv(tid, &here, 1, &there, 1, 0);
        if (got <= 0)
            break;
        if (memchr(text + length, 0, (size_t)got))
            return;
        length += (size_t)got;
    }
    text[length] = 0;
}

/* Writes the path of a name in a directory. */
static void path_at(pid_t tid, int dir, uint64_t address, char *path) {
    char name[PATH_MAX], link[64];
    text_at(tid, address, name);
    if (name[0] == '/') {
        strcpy(path, name);
        return;
    }
    if (dir == AT_FDCWD)
        snprintf(link, sizeof link, "/proc/%d/cwd", tid);
    else
        snprintf(link, sizeof link, "/proc/%d/fd/%d", tid, dir);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0)
        length = 0;
    path[length] = 0;
    if (name[0] && strlen(path) + strlen(name) + 2 < PATH_MAX) {
        strcat(path, "/");
        strcat(path, name);
    }
}

static unsigned long inode_of(pid_t tid, int fd, int *kind) {
    char link[64];
    struct stat found;
    snprintf(link, sizeof link, "/proc/%d/fd/%d", tid, fd);
    *kind = 0;
    if (stat(link, &found))
        return 0;
    *kind = (int)(found.st_mode & S_IFMT);
    return (unsigned long)found.st_ino;
}

static void save_link(const char *path, char *saved) {
    char to[PATH_MAX];
    struct stat found;
    strcpy(saved, "-");
    if (lstat(path, &found) || S_ISDIR(found.st_mode))
        return;
    snprintf(saved, 64, "saved.%ld", ++saved_count);
    snprintf(to, sizeof to, "%s/%s", journal, saved);
    if (link(path, to))
        strcpy(saved, "-");
}

static void save_copy(pid_t tid, int fd, char *saved) {
    char from[64], to[PATH_MAX], piece[65536];
    snprintf(from, sizeof from, "/proc/%d/fd/%d", tid, fd);
    snprintf(saved, 64, "saved.%ld", ++saved_count);
    snprintf(to, sizeof to, "%s/%s", journal, saved);
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT, 0600);
    ssize_t got;
    while (in >= 0 && out >= 0 && (got = read(in, piece, sizeof piece)) > 0)
        if (write(out, piece, (size_t)got) != got)
            break;
    if (in < 0)
        strcpy(saved, "-");
    close(in);
    close(out);
}

/* Reads what a call is about to do. Its arguments are known only before the call. */
static int begin(struct thread *it, const struct __ptrace_syscall_info *info) {
    const uint64_t *args = (const uint64_t *)info->entry.args;
    pid_t tid = it->tid;
    int kind = 0;
    it->number = (long)info->entry.nr;
    strcpy(it->saved, "-");
    switch (it->number) {
    case SYS_openat:
        if (!(args[2] & (O_CREAT | O_TRUNC)))
            return 0;
        path_at(tid, (int)args[0], args[1], it->to);
        it->inode = access(it->to, F_OK) == 0;
        return 1;
#ifdef SYS_open
    case SYS_open:
        if (!(args[1] & (O_CREAT | O_TRUNC)))
            return 0;
        path_at(tid, AT_FDCWD, args[0], it->to);
        it->inode = access(it->to, F_OK) == 0;
        return 1;
#endif
#ifdef SYS_rename
    case SYS_rename:
        path_at(tid, AT_FDCWD, args[0], it->from);
        path_at(tid, AT_FDCWD, args[1], it->to);
        save_link(it->to, it->saved);
        return 1;
#endif
#ifdef SYS_renameat
    case SYS_renameat:
#endif
    case SYS_renameat2:
        path_at(tid, (int)args[0], args[1], it->from);
        path_at(tid, (int)args[2], args[3], it->to);
        save_link(it->to, it->saved);
        return 1;
#ifdef SYS_link
    case SYS_link:
        path_at(tid, AT_FDCWD, args[1], it->to);
        return 1;
    case SYS_symlink:
        path_at(tid, AT_FDCWD, args[1], it->to);
        return 1;
    case SYS_unlink:
        path_at(tid, AT_FDCWD, args[0], it->to);
        save_link(it->to, it->saved);
        return 1;
    case SYS_mkdir:
    case SYS_rmdir:
        path_at(tid, AT_FDCWD, args[0], it->to);
        return 1;
#endif
    case SYS_linkat:
        path_at(tid, (int)args[2], args[3], it->to);
        return 1;
    case SYS_symlinkat:
        path_at(tid, (int)args[1], args[2], it->to);
        return 1;
    case SYS_unlinkat:
        path_at(tid, (int)args[0], args[1], it->to);
        if (args[2] & AT_REMOVEDIR)
            it->number = -1;
        else
            save_link(it->to, it->saved);
        return 1;
    case SYS_mkdirat:
        path_at(tid, (int)args[0], args[1], it->to);
        return 1;
    case SYS_write:
    case SYS_writev:
    case SYS_pwrite64:
    case SYS_ftruncate:
    case SYS_fsync:
    case SYS_fdatasync:
        it->inode = inode_of(tid, (int)args[0], &kind);
        it->from[0] = kind == S_IFREG ? 'f' : kind == S_IFDIR ? 'd' : '-';
        if (it->from[0] == 'f' && (it->number == SYS_fsync || it->number == SYS_fdatasync))
            save_copy(tid, (int)args[0], it->saved);
        return 1;
    case SYS_copy_file_range:
        it->inode = inode_of(tid, (int)args[2], &kind);
        it->from[0] = 'f';
        return 1;
    case SYS_sendfile:
        it->inode = inode_of(tid, (int)args[0], &kind);
        it->from[0] = kind == S_IFREG ? 'f' : '-';
        return 1;
    case SYS_fchmod:
    case SYS_utimensat:
    case SYS_flock:
    case SYS_clone:
#ifdef SYS_vfork
    case SYS_vfork:
#endif
        it->number = 0;
        it->from[0] = '-';
        return 1;
    }
    return 0;
}

static void end(struct thread *it, int64_t result) {
    if (result < 0)
        return;
    switch (it->number) {
    case -1:
        fprintf(record, "rmdir %s\n", it->to);
        return;
#ifdef SYS_open
    case SYS_open:
#endif
    case SYS_openat:
        if (it->inode) {
            int kind;
            fprintf(record, "write %lu\n", inode_of(it->tid, (int)result, &kind));
        } else {
            fprintf(record, "create %s\n", it->to);
        }
        return;
#ifdef SYS_rename
    case SYS_rename:
#endif
#ifdef SYS_renameat
    case SYS_renameat:
#endif
    case SYS_renameat2:
        fprintf(record, "rename %s %s %s\n", it->from, it->to, it->saved);
        return;
#ifdef SYS_link
    case SYS_link:
    case SYS_symlink:
#endif
    case SYS_linkat:
    case SYS_symlinkat:
        fprintf(record, "link %s\n", it->to);
        return;
#ifdef SYS_link
    case SYS_unlink:
#endif
    case SYS_unlinkat:
        fprintf(record, "unlink %s %s\n", it->to, it->saved);
        return;
#ifdef SYS_link
    case SYS_mkdir:
#endif
    case SYS_mkdirat:
        fprintf(record, "mkdir %s\n", it->to);
        return;
#ifdef SYS_link
    case SYS_rmdir:
        fprintf(record, "rmdir %s\n", it->to);
        return;
#endif
    case SYS_fsync:
    case SYS_fdatasync:
        if (it->from[0] == 'f')
            fprintf(record, "flush %lu %s\n", it->inode, it->saved);
        else
            fprintf(record, "flushdir %lu\n", it->inode);
        return;
    case SYS_write:
    case SYS_writev:
    case SYS_pwrite64:
    case SYS_ftruncate:
    case SYS_copy_file_range:
    case SYS_sendfile:
        if (it->from[0] == 'f')
            fprintf(record, "write %lu\n", it->inode);
    }
}

/* Returns true if this process is the shell that watches the commands. */
static int is_guard(pid_t pid) {
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    int file = open(path, O_RDONLY);
    ssize_t got = file < 0 ? 0 : read(file, text, sizeof text - 1);
    close(file);
    for (ssize_t i = 0; i < got; i++)
        if (!text[i])
            text[i] = ' ';
    return strstr(text, "Reads which commands begin and end") != NULL;
}

static int is_named(const char *who) { return !strcmp(whom, who); }

static void kill_them(void) {
    if (is_named("guard") || is_named("both"))
        for (int i = 0; i < THREADS_MAX; i++)
            if (threads[i] && is_guard(threads[i]->pid))
                kill(threads[i]->pid, SIGKILL);
    if (is_named("all"))
        for (int i = 0; i < THREADS_MAX; i++)
            if (threads[i])
                kill(threads[i]->pid, SIGKILL);
    if (!is_named("guard"))
        kill(root, SIGKILL);
}

/* Handles a call of a traced thread: records it, and also counts it if the program itself makes it. Returns
 * true if it was the call before which processes are killed. */
static int on_call(struct thread *it) {
    struct __ptrace_syscall_info info;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, it->tid, sizeof info, &info) <= 0)
        return 0;
    if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
        if (it->pending)
            end(it, info.exit.rval);
        it->pending = 0;
        return 0;
    }
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
        return 0;
    it->pending = begin(it, &info);
    if (!it->pending || it->pid != root || ++calls != point)
        return 0;
    kill_them();
    return 1;
}

static int trace(void) {
    int ended = 0, status;
    for (;;) {
        pid_t tid = waitpid(-1, &status, __WALL);
        if (tid < 0)
            return ended;
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            forget(tid);
            if (tid == root) {
                ended = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
                /* The other processes continue untraced, unless a power cut ends them all. */
                if (!is_named("all") || point == 0)
                    return ended;
            }
            continue;
        }
        int signal = WSTOPSIG(status);
        struct thread *it = thread_of(tid);
        if (signal == (SIGTRAP | 0x80)) {
            on_call(it);
            signal = 0;
        } else if (signal == SIGTRAP || signal == SIGSTOP) {
            signal = 0;
        }
        if (ptrace(PTRACE_SYSCALL, tid, 0, signal) && errno != ESRCH)
            fail("ptrace");
    }
}

int main(int count, char **words) {
    char path[PATH_MAX];
    if (count < 5)
        return 125;
    whom = words[1];
    point = atol(words[2]);
    journal = words[3];
    snprintf(path, sizeof path, "%s/log", journal);
    if (!(record = fopen(path, "we")))
        fail(path);
    int gate[2];
    if (pipe2(gate, O_CLOEXEC))
        fail("pipe2");
    root = fork();
    if (root == 0) {
        close(gate[1]);
        if (read(gate[0], path, 1) < 0)
            fail("read");
        execvp(words[4], words + 4);
        fail(words[4]);
    }
    long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
                   PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC;
    /* With PTRACE_TRACEME, children would begin with a SIGSTOP, and one that begins while the tracer
     * ends would stay stopped. */
    if (ptrace(PTRACE_SEIZE, root, 0, options) || ptrace(PTRACE_INTERRUPT, root, 0, 0) ||
        waitpid(root, NULL, 0) < 0 || ptrace(PTRACE_SYSCALL, root, 0, 0))
        fail("ptrace");
    close(gate[0]);
    close(gate[1]);
    int ended = trace();
    fclose(record);
    snprintf(path, sizeof path, "%s/calls", journal);
    FILE *number = fopen(path, "we");
    if (number) {
        fprintf(number, "%ld\n", calls);
        fclose(number);
    }
    return ended;
}
