/* Images upside down (Achille et al. 2019): a change of high-level statistics that leaves local
 * structure alone; the control on which no critical period is expected. With severity below 1 that
 * fraction of the images is turned, drawn once per image. */
#include "deficits/pixels.h"
#include "sim/data.h"

static void vflip_image(const struct settings *s, const struct deficit_context *c, void *x,
                        void *scratch) {
    (void)s;
    (void)scratch;
    struct rng r = deficit_stream(c, "deficit vflip");
    if (!deficit_affects(c, &r)) return;
    const size_t H = c->modality->H, row = modality_bytes(c->modality) / H;
    unsigned char *top = x, *bottom = top + (H - 1) * row;
    for (; top < bottom; top += row, bottom -= row)
        for (size_t i = 0; i < row; i++) {
            unsigned char byte = top[i];
            top[i] = bottom[i];
            bottom[i] = byte;
        }
}

static const struct param vflip_params[] = {{0}};

const struct deficit deficit_vflip = {
    .name = "vflip",
    .doc = "Images upside down.",
    .params = vflip_params,
    .takes = TAKES_IMAGES,
    .spoil = vflip_image,
};
