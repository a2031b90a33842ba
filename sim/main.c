/* imprint's main: signals in, exit status out; the only place that prints an error and exits. */
#include <signal.h>
#include <stdio.h>

#include "base/error.h"
#include "sim/cli.h"

/* The one global, for a signal handler has nothing else: the signal that came, 0 none. */
static volatile sig_atomic_t stopped;

static void on_signal(int number) {
    stopped = number;
}

static void catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL); /* a batch system's warning before the time limit */
    signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv) {
    struct error e = {0};
    catch_signals();
    int status = cli_main(argc, argv, &stopped, &e);
    if (fflush(stdout) && !status)
        status = error_set(&e, STATUS_FAILED, "cannot write to standard output");
    if (e.text[0] && status) fprintf(stderr, "imprint: %s\n", e.text);
    return status == STATUS_DIVERGED ? STATUS_FAILED : status;
}
