/* `imprint preview`: a PNG contact sheet of what the network sees, before and under each deficit.
 *
 * One row for clean examples and one per deficit (each alone, at full severity, in the config's
 * order), one column per class (up to ten, the first training example of each): every modality, and
 * the label trained on. Where a deficit puts another example in one's place, that one is shown.
 * Bytes are shown as they are, floats from mean - 3 s.d. (black) to mean + 3 s.d. (white) of the
 * clean training examples, tokens as numbers and hints as the class that they name. */
#ifndef SIM_PREVIEW_H
#define SIM_PREVIEW_H

#include "sim/config.h"
#include "sim/data.h"

/* The config and its data were checked (sim/check.h). Written whole or not at all; replaces a file
 * that is there. */
int preview_write(const char *png_path, const struct config *c, const struct dataset *d,
                  struct error *e);

#endif
