/* fork, execvp, wait: see process.h.
 *
 * What the program says goes to files without a name, so that it can never block on a full pipe. A
 * pipe that closes on exec tells whether exec worked. The trap: SIGPIPE is ignored here, and what is
 * ignored stays ignored over exec; the child puts it back. */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void become(const char *const argv[], void (*prepare)(void), int out, int err, int told) {
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(nothing, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    signal(SIGPIPE, SIG_DFL);
    if (prepare) prepare();
    execvp(argv[0], (char *const *)argv);
    int problem = errno;
    ssize_t written = write(told, &problem, sizeof problem);
    (void)written;
    _exit(127);
}

static int wait_for(pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* 0, or why it could not be started (an errno). */
static int start(const char *const argv[], void (*prepare)(void), int out, int err, int *status) {
    int told[2], problem = 0;
    if (pipe2(told, O_CLOEXEC)) return errno;
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) problem = errno;
    if (pid == 0) become(argv, prepare, out, err, told[1]);
    close(told[1]);
    while (pid > 0 && read(told[0], &problem, sizeof problem) < 0 && errno == EINTR)
        ;
    close(told[0]);
    if (pid > 0) *status = wait_for(pid);
    return problem;
}

static void read_back(FILE *f, struct text *t) {
    char part[4096];
    rewind(f);
    for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;) text_put(t, part, n);
    text_put(t, "", 0);
}

/* A file without a name, which the program does not inherit. */
static FILE *nameless(void) {
    FILE *f = tmpfile();
    if (f) fcntl(fileno(f), F_SETFD, FD_CLOEXEC);
    return f;
}

int process_run(const char *const argv[], void (*prepare)(void), struct process_result *r,
                bool *missing, struct error *e) {
    FILE *out = nameless(), *err = nameless();
    *r = (struct process_result){0};
    int problem = out && err ? 0 : errno;
    if (!problem) problem = start(argv, prepare, fileno(out), fileno(err), &r->status);
    if (out && err) {
        read_back(out, &r->out);
        read_back(err, &r->err);
    }
    if (out) fclose(out);
    if (err) fclose(err);
    if (missing) *missing = problem == ENOENT;
    if (!problem) return STATUS_OK;
    process_free(r);
    return error_set(e, STATUS_FAILED, "%s: cannot start it: %s", argv[0], strerror(problem));
}

void process_free(struct process_result *r) {
    free(r->out.data);
    free(r->err.data);
    *r = (struct process_result){0};
}

char *process_complaint(const struct process_result *r) {
    const char *text = r->err.data ? r->err.data : "";
    size_t end = strlen(text);
    while (end > 0 && strchr("\n\r \t", text[end - 1])) end--;
    size_t begin = end;
    while (begin > 0 && text[begin - 1] != '\n') begin--;
    struct text line = {0};
    text_put(&line, text + begin, end - begin);
    return text_take(&line);
}
