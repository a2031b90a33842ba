/* Measuring a run: what the network can do after each epoch. Measuring reads the run and changes
 * nothing that training depends on: no parameter, no buffer, no random stream. */
#ifndef SIM_MEASURE_H
#define SIM_MEASURE_H

#include "base/error.h"
#include "sim/run.h"

/* Rows, views of the test, validation and probe examples. After the run's net is there. */
int measure_create(struct run *r, struct error *e);
void measure_free(struct run *r);

/* Fill the row of the current epoch with what is due: evaluation every eval.every epochs, Fisher
 * information every fisher.every, the registered measures with those evaluations whose epoch
 * eval.measures_every divides. STATUS_DIVERGED when
 * a loss is not finite. */
int measure_row(struct run *r, struct error *e);

/* What a row costs: each part done once, whether due or not. */
struct measure_seconds {
    double evaluation, measures, fisher;
};
int measure_time(struct run *r, struct measure_seconds *s, struct error *e);

#endif
