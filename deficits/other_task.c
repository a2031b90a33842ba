/* Another task first: known targets are those of another linear map, t = M x, with M a random matrix of
 * the given rank whose entries have root mean square 1 (Kleinman, Achille, Soatto 2024, arXiv
 * 2308.12221: matrix completion of one matrix after another). What is not known stays unknown. M is
 * drawn by the stream "deficit other_task" of data.seed; x is the stored features, so for unit vectors
 * the targets are M's columns. Severity blends the two tasks. */
#include <math.h>

#include "base/lowrank.h"
#include "deficits/pixels.h"
#include "sim/data.h"

/* t = U (V^T x) */
static void other_task(const struct settings *s, const struct deficit_context *c,
                       const struct examples *all, size_t i, float *target) {
    const struct modality *m = c->modality;
    const size_t rank = (size_t)settings_int(s, "rank");
    struct rng r = rng_stream(c->seed, "deficit other_task", 0, 0);
    struct lowrank M;
    const float *x = (const float *)all->x[c->modality_index] + i * m->W;
    lowrank_draw(&M, c->K, m->W, rank, &r);
    for (size_t k = 0; k < c->K; k++) {
        double other = 0;
        if (isnan(target[k])) continue;
        for (size_t f = 0; f < m->W; f++)
            if (x[f] != 0) other += (double)x[f] * lowrank_at(&M, k, f);
        target[k] = (float)((1 - c->severity) * (double)target[k] + c->severity * other);
    }
    lowrank_free(&M);
}

static const struct param other_task_params[] = {
    {.name = "rank",
     .type = PARAM_INT,
     .preset = "10",
     .min = 1,
     .max = 2000,
     .unit = "1",
     .doc = "Rank of the matrix that the targets come from."},
    {0},
};

const struct deficit deficit_other_task = {
    .name = "other_task",
    .doc =
        "Targets of another linear task, a random matrix of its own rank (Kleinman et al. 2024).",
    .params = other_task_params,
    .takes = TAKES_FEATURES,
    .targets = other_task,
};
