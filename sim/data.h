/* Data sets: labelled examples with one or more named modalities, in the order of their files.
 *
 * A reader (sim/datasets/NAME.c, one line in datasets.def) yields a pool and test examples as
 * stored: bytes 0..255 or floats, [n,H,W,C], never normalized. `data_load` then draws the subset
 * and the validation split (DESIGN: per class, streams "subset" and "validation" of data.seed),
 * computes normalization constants over the clean training examples and the digest. */
#ifndef SIM_DATA_H
#define SIM_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/settings.h"
#include "nets/net.h"

enum { DATA_MODALITIES = 4, DATA_CHANNELS = 16, DATA_NAME = 32 };

enum modality_kind {
    MODALITY_IMAGE,   /* [H,W,C] */
    MODALITY_TOKENS,  /* W token numbers 0..tokens-1, 0 the empty one; H = C = 1, floats */
    MODALITY_FEATURES /* W numbers; H = C = 1 */
};

struct modality {
    char name[DATA_NAME]; /* "image" */
    enum modality_kind kind;
    size_t H, W, C; /* C <= DATA_CHANNELS */
    size_t tokens;  /* MODALITY_TOKENS: size of the vocabulary, else 0 */
    bool has_hint;  /* MODALITY_TOKENS: slot `hint_slot`, empty in clean data, may give the answer
                         away: token hint_first + k names class k */
    size_t hint_slot, hint_first;
    bool raw; /* reaches the net as it is stored, neither normalized nor scaled */
    size_t hidden_left, hidden_right; /* so many columns at each side are 0 to the net (after
                                         normalization), whatever is stored: half a view */
    bool bytes;                       /* stored as uint8_t 0..255, else as float */
    double mean[DATA_CHANNELS], sd[DATA_CHANNELS]; /* of the clean training examples, as stored;
                                                      0 and 1 for tokens and what is raw */
};

struct examples {
    size_t n;
    void *x[DATA_MODALITIES]; /* [n,H,W,C] uint8_t or float; owned */
    int32_t *label;           /* [n] 0..K-1, or -1 in a set with targets; owned */
    float *target;            /* [n,K] numbers to be had from the net, NaN: not known; NULL in a
                                 set of classes; owned */
    uint32_t *index;          /* [n] position in the official files' order, the test files after
                                 the training files, so that no two examples share one; owned */
};

struct dataset {
    const struct dataset_type *type;
    size_t modalities_n;
    struct modality modality[DATA_MODALITIES];
    double scale;         /* data.scale: the network sees (x - mean)/sd scale; tokens as they are */
    size_t K;             /* classes, or numbers in a target */
    bool has_targets;     /* the examples have targets in place of classes */
    char **class_names;   /* [K] names of the classes or of a target's numbers; owned */
    uint8_t *class_group; /* [K] kind of question that a class answers; NULL: all the same; owned */
    struct examples train, validation, test;
    double *correlation[DATA_MODALITIES]; /* [K,H W C] in a set with targets: sum over the training
                                             examples of target (0 where it is not known) times
                                             input as the net sees it, but not augmented; owned */
    char
        train_digest[HASH_TEXT]; /* over the training examples, labels and shapes: in prefix keys */
    char digest[HASH_TEXT];      /* over all examples used: training, validation, test */
};

/* What a reader is asked for. It opens only the files that the pool needs. */
struct data_request {
    const struct settings *settings; /* the data section: common keys and the type's own */
    uint64_t seed;                   /* data.seed */
    size_t train;                    /* training + validation examples wanted; 0: all there are */
    size_t test;                     /* test examples wanted; 0: all */
    bool balance;
};

/* One file of the published distribution. */
struct data_file {
    const char *name;
    int64_t bytes;
    const char *md5; /* as published; NULL: none is */
};

struct dataset_type {
    const char *name;
    const char *doc;            /* one sentence, with the source */
    const struct param *params; /* its own keys of the data section, beside the common ones */
    /* Its key that names the set it is made of, whose keys join and whose answers to the next three
     * hold; NULL: it stands alone. */
    const char *wraps;
    bool needs_path;
    bool flip_allowed; /* a horizontal flip keeps the label (not for digits) */
    bool own_prior;    /* how frequent classes are is part of the set: data.balance has no effect */
    /* Fill modalities, K, class names; pool examples (at least what the balanced draw needs) into
     * d->train, test examples into d->test, both in file order. */
    int (*read)(const struct data_request *r, struct dataset *d, struct error *e);
    const struct data_file *official; /* ends in name NULL; NULL: made, or the user's own file */
    const char *const *folders; /* where below data.path they may lie, "" first; ends in NULL */
    const char *source;         /* where from, how to get it, whom to cite: `imprint data info` */
};

const struct dataset_type *dataset_find(const char *name);
/* The type whose files are read: the one that `t` is made of, or t itself. */
const struct dataset_type *dataset_source(const struct settings *data,
                                          const struct dataset_type *t);
const struct dataset_type *const *dataset_list(size_t *n);

extern const struct param data_common_params[]; /* set path train ... scale seed */

/* Read, check, draw, normalize, digest. `settings`: the data section. STATUS_USAGE with the file's
 * name, what was expected and what was found when a file is missing, short or corrupt. */
int data_load(const struct settings *settings, uint64_t seed, struct dataset *d, struct error *e);
void data_free(struct dataset *d);

/* `imprint data info`: the set in words, its files with sizes and checksums, where to get them. */
void data_info(const struct dataset_type *t, FILE *out);
/* `imprint data verify`: a line per official file (size, MD5), then reads everything as a run would.
 * STATUS_USAGE when a file is missing or wrong. */
int data_verify(const struct dataset_type *t, const char *path, FILE *out, struct error *e);

/* The inputs of a network for these data, one per modality. */
void dataset_inputs(const struct dataset *d, struct net_input inputs[DATA_MODALITIES]);
/* What a network for these data needs to know of them: inputs (which it points to), outputs, and the
 * correlations of targets. The caller adds what is its own. */
struct net_spec dataset_net(const struct dataset *d, struct net_input inputs[DATA_MODALITIES]);

size_t modality_size(const struct modality *m);  /* H W C */
size_t modality_bytes(const struct modality *m); /* bytes of one stored example */

#endif
