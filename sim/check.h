/* What only a config and its data set together can tell: a deficit that does not fit the images,
 * a shift that moves them out of sight, a net that cannot take the shapes. Refused before anything trains. */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

#include "base/error.h"
#include "sim/config.h"

/* STATUS_USAGE with a sentence that names the key. */
int check_data(const struct config *c, const struct dataset *d, struct error *e);
/* Can the net be built for these shapes, and do the stabilizers find in it what they act on? Allocates
 * it for a batch of one and frees it again. */
int check_net(const struct config *c, const struct dataset *d, struct error *e);

#endif
