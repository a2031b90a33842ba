/* `imprint preview`: a PNG contact sheet of what the network sees, before and under each deficit.
 *
 * One row for clean images and one per deficit (each alone, at full severity, in the config's
 * order), one column per class (up to ten, the first training example of each), the label trained
 * on below each image. Bytes are shown as they are, floats from mean - 3 s.d. (black) to
 * mean + 3 s.d. (white) of the clean training examples. */
#ifndef SIM_PREVIEW_H
#define SIM_PREVIEW_H

#include "deficits/deficit.h"
#include "sim/data.h"

/* Written whole or not at all; replaces a file that is there. */
int preview_write(const char *png_path, const struct dataset *d, const struct deficit *const *types,
                  const struct settings *deficits, size_t deficits_n, uint64_t seed,
                  struct error *e);

#endif
