/* A job whose time limit is near: it has saved, and asks for a new start; see slurm.h.
 *
 * scontrol requeue ends the job that calls it, so it is the last act. A job that waits for afterok
 * or aftercorr goes on waiting. The trap: a time limit shorter than an epoch would start the job
 * for ever, so starts in a row that saved no later epoch are counted in results/<experiment>/slurm/
 * <run id>.requeued. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/system.h"
#include "base/text.h"
#include "sim/slurm/slurm.h"
#include "sim/slurm/submit.h"
#include "sim/store.h"

enum { STARTS = 2, SECONDS_TO_LIVE = 30 };

static long read_count(const char *path) {
    long n = 0;
    FILE *f = fopen(path, "r");
    if (!f) return 0;
    if (fscanf(f, "%ld", &n) != 1) n = 0;
    fclose(f);
    return n;
}

/* How many starts in a row saved no later epoch, with this one; not written where nothing can be. */
static long count_start(const char *folder, const char *run_id, bool progress) {
    char path[STORE_PATH];
    snprintf(path, sizeof path, "%s/slurm", folder);
    system_make_folder(path, NULL);
    snprintf(path, sizeof path, "%s/slurm/%s.requeued", folder, run_id);
    long n = progress ? 0 : read_count(path) + 1;
    FILE *f = n ? fopen(path, "w") : NULL;
    if (f) {
        fprintf(f, "%ld\n", n);
        fclose(f);
    } else {
        unlink(path);
    }
    return n;
}

/* A task of an array goes by the array's number and its index. */
static void job_name(struct text *t) {
    const char *array = getenv("SLURM_ARRAY_JOB_ID"), *index = getenv("SLURM_ARRAY_TASK_ID");
    if (array && index)
        text_add(t, "%s_%s", array, index);
    else
        text_add(t, "%s", getenv("SLURM_JOB_ID"));
}

int slurm_requeue(const char *folder, const char *run_id, bool progress, struct error *e) {
    const struct timespec rest = {.tv_sec = SECONDS_TO_LIVE};
    if (!getenv("SLURM_JOB_ID")) return STATUS_OK;
    long idle = count_start(folder, run_id, progress);
    if (idle > STARTS)
        return error_set(e, STATUS_FAILED,
                         "the time limit came %ld times in a row before an epoch was saved: "
                         "raise slurm.time",
                         idle);
    struct text job = {0};
    job_name(&job);
    fprintf(stderr,
            "imprint: the time limit is near; job %s asks for a new start from what is saved\n",
            job.data);
    fflush(NULL);
    int status = slurm_restart(job.data, e);
    free(job.data);
    if (!status) nanosleep(&rest, NULL); /* Slurm ends us here */
    return status;
}
