/* Data sets: readers against files written here byte by byte, each way a file can be wrong, and the
 * rule by which subsets are drawn. */
#include <errno.h>
#include <math.h>
#include <sys/stat.h>

#include <hdf5.h>
#include <hdf5_hl.h>

#include "sim/datasets/md5.h"
#include "sim/datasets/pool.h"
#include "tests/data_files.h"

enum { SIDE = 28, PIXELS = SIDE * SIDE, TRAIN = 60, TEST = 20 };

/* ---- IDX files ------------------------------------------------------------------------------- */

static const char *const idx_names[4] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                         "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

static void word(unsigned char *to, uint32_t v) {
    for (int i = 0; i < 4; i++) to[i] = (unsigned char)(v >> (24 - 8 * i));
}

/* Labels: 3 is rare (first at 25), the others in turn. */
static int train_label(size_t i) {
    if (i % 10 != 3) return (int)(i % 10);
    return i < 25 ? 4 : 3;
}

static int pixel(size_t image, size_t i) {
    return (int)((image * 31 + i * 7 + i / SIDE) % 256);
}

typedef void write_bytes(const char *folder, const char *name, const void *x, size_t n);

static void idx_write_images(const char *folder, const char *name, size_t n, size_t first,
                             write_bytes *write) {
    unsigned char *x = malloc(16 + n * PIXELS);
    assert_non_null(x);
    word(x, 2051);
    word(x + 4, (uint32_t)n);
    word(x + 8, SIDE);
    word(x + 12, SIDE);
    for (size_t i = 0; i < n * PIXELS; i++)
        x[16 + i] = (unsigned char)pixel(first + i / PIXELS, i % PIXELS);
    write(folder, name, x, 16 + n * PIXELS);
    free(x);
}

static void idx_write_labels(const char *folder, const char *name, size_t n, bool test,
                             write_bytes *write) {
    unsigned char x[8 + TRAIN];
    word(x, 2049);
    word(x + 4, (uint32_t)n);
    for (size_t i = 0; i < n; i++)
        x[8 + i] = (unsigned char)(test ? (int)(i % 10) : train_label(i));
    write(folder, name, x, 8 + n);
}

static void idx_write(const char *folder) {
    idx_write_images(folder, idx_names[0], TRAIN, 0, bytes_write);
    idx_write_labels(folder, idx_names[1], TRAIN, false, bytes_write);
    idx_write_images(folder, idx_names[2], TEST, 1000, bytes_write);
    idx_write_labels(folder, idx_names[3], TEST, true, bytes_write);
}

static void idx_write_gz(const char *folder) {
    char name[64];
    for (size_t i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s.gz", idx_names[i]);
        if (i % 2 == 0)
            idx_write_images(folder, name, i ? TEST : TRAIN, i ? 1000 : 0, gz_write);
        else
            idx_write_labels(folder, name, i == 3 ? TEST : TRAIN, i == 3, gz_write);
    }
}

static void idx_files_are_read_to_the_pixel(void **state) {
    char folder[PATH_TEXT];
    (void)state;
    scratch_create(folder);
    idx_write(folder);
    struct dataset d = load(data_settings("mnist", "path", folder, NULL), 1);
    assert_int_equal(d.train.n, TRAIN);
    assert_int_equal(d.test.n, TEST);
    assert_int_equal(d.validation.n, 0);
    assert_int_equal(d.K, 10);
    assert_true(d.modality[0].bytes);
    assert_int_equal(modality_bytes(&d.modality[0]), PIXELS);
    for (size_t i = 0; i < TRAIN; i++) {
        assert_int_equal(d.train.label[i], train_label(i));
        assert_int_equal(d.train.index[i], i);
        for (size_t p = 0; p < PIXELS; p++)
            assert_int_equal(((uint8_t *)d.train.x[0])[i * PIXELS + p], pixel(i, p));
    }
    for (size_t i = 0; i < TEST; i++) {
        assert_int_equal(d.test.label[i], i % 10);
        assert_int_equal(d.test.index[i], TRAIN + i);
        for (size_t p = 0; p < PIXELS; p++)
            assert_int_equal(((uint8_t *)d.test.x[0])[i * PIXELS + p], pixel(1000 + i, p));
    }
    data_free(&d);
    scratch_remove(folder);
}

static void gzipped_idx_files_give_the_same_data_set(void **state) {
    char folder[PATH_TEXT], gz[PATH_TEXT];
    (void)state;
    scratch_create(folder);
    scratch_create(gz);
    idx_write(folder);
    idx_write_gz(gz);
    struct dataset a = load(data_settings("mnist", "path", folder, NULL), 1);
    struct dataset b = load(data_settings("mnist", "path", gz, NULL), 1);
    struct dataset c = load(data_settings("fashion_mnist", "path", gz, NULL), 1);
    assert_string_equal(a.digest, b.digest);
    assert_string_not_equal(a.digest, c.digest); /* another data set */
    data_free(&a);
    data_free(&b);
    data_free(&c);
    scratch_remove(folder);
    scratch_remove(gz);
}

static void the_folder_above_is_found_too(void **state) {
    char above[PATH_TEXT], folder[PATH_TEXT];
    (void)state;
    scratch_create(above);
    snprintf(folder, sizeof folder, "%.*s/mnist", PATH_TEXT - 8, above);
    assert_int_equal(mkdir(folder, 0700), 0);
    idx_write(folder);
    struct dataset a = load(data_settings("mnist", "path", above, NULL), 1);
    struct dataset b = load(data_settings("mnist", "path", folder, NULL), 1);
    assert_string_equal(a.digest, b.digest);
    data_free(&a);
    data_free(&b);
    scratch_remove(above);
}

/* One file of a good set with `n` bytes at `at` replaced, its length changed by `longer`. */
static void assert_idx_refused(size_t file, size_t at, const char *with, size_t n, int longer,
                               const char *expected) {
    char folder[PATH_TEXT];
    size_t length;
    scratch_create(folder);
    idx_write(folder);
    unsigned char *x = bytes_read(folder, idx_names[file], &length);
    memcpy(x + at, with, n);
    x[length] = 0;
    bytes_write(folder, idx_names[file], x, length + (size_t)(ptrdiff_t)longer);
    free(x);
    assert_refused(data_settings("mnist", "path", folder, NULL), expected);
    assert_refused(data_settings("mnist", "path", folder, NULL), idx_names[file]);
    scratch_remove(folder);
}

static void broken_idx_files_are_refused(void **state) {
    (void)state;
    assert_idx_refused(0, 0, "\0\0\x8\x1", 4, 0, "magic number 2051, found 2049");
    assert_idx_refused(1, 0, "PK\3\4", 4, 0, "magic number 2049");
    assert_idx_refused(1, 12, "\x0a", 1, 0, "label 4 is 10, expected 0 to 9");
    assert_idx_refused(3, 27, "\xff", 1, 0, "label 19 is 255");
    assert_idx_refused(0, 0, "", 0, -1, "expected 47056 bytes, found 47055");
    assert_idx_refused(0, 0, "", 0, 1, "expected 47056 bytes, found 47057");
    assert_idx_refused(1, 0, "", 0, -1, "expected 68 bytes, found 67");
    assert_idx_refused(1, 0, "", 0, -65, "expected at least 4 bytes, found 3");
    assert_idx_refused(1, 0, "", 0, -68, "expected at least 4 bytes, found 0");
    assert_idx_refused(2, 4, "\0\0\0\x13", 4, 0, "expected number of images");
    assert_idx_refused(0, 8, "\0\0\0\x1d", 4, 0, "rows 28, found 29");
    assert_idx_refused(0, 12, "\0\0\0\x1b", 4, 0, "columns 28, found 27");
    assert_idx_refused(1, 4, "\xff\xff\xff\xff", 4, 0, "expected 4294967303 bytes, found 68");
    assert_idx_refused(1, 4, "\0\0\0\0", 4, 0, "expected 8 bytes");
}

/* A gzip'd file of a good set, changed by `change`. */
static void assert_gz_refused(size_t file, size_t (*change)(unsigned char *x, size_t n),
                              const char *expected) {
    char folder[PATH_TEXT], name[64];
    size_t n;
    scratch_create(folder);
    idx_write_gz(folder);
    snprintf(name, sizeof name, "%s.gz", idx_names[file]);
    unsigned char *x = bytes_read(folder, name, &n);
    n = change(x, n);
    bytes_write(folder, name, x, n);
    free(x);
    assert_refused(data_settings("mnist", "path", folder, NULL), expected);
    assert_refused(data_settings("mnist", "path", folder, NULL), name);
    scratch_remove(folder);
}

static size_t cut_in_half(unsigned char *x, size_t n) {
    (void)x;
    return n / 2;
}
static size_t cut_the_checksum(unsigned char *x, size_t n) {
    (void)x;
    return n - 8;
}
static size_t spoil_the_checksum(unsigned char *x, size_t n) {
    x[n - 8] ^= 1;
    return n;
}
static size_t spoil_the_middle(unsigned char *x, size_t n) {
    memset(x + n / 2, 0xff, 4);
    return n;
}

static size_t add_a_byte(unsigned char *x, size_t n) {
    x[n] = 0;
    return n + 1;
}

static void broken_gzip_files_are_refused(void **state) {
    (void)state;
    for (size_t file = 0; file < 4; file++) {
        assert_gz_refused(file, cut_the_checksum, "unexpected end of file");
        assert_gz_refused(file, spoil_the_checksum, "data check");
        assert_gz_refused(file, add_a_byte, "end of the compressed data, found more");
    }
    assert_gz_refused(0, cut_in_half, "unexpected end of file");
    assert_gz_refused(0, spoil_the_middle, "get the file again");
}

static void gzip_content_of_the_wrong_length_is_refused(void **state) {
    char folder[PATH_TEXT];
    unsigned char huge[8];
    (void)state;
    scratch_create(folder);
    idx_write_gz(folder);
    idx_write_images(folder, "train-images-idx3-ubyte.gz", TRAIN + 1, 0, gz_write);
    assert_refused(data_settings("mnist", "path", folder, NULL), "number of images");
    idx_write_gz(folder);
    word(huge, 2049);
    word(huge + 4, UINT32_MAX); /* 4 GiB of labels from a file of 40 bytes */
    gz_write(folder, "train-labels-idx1-ubyte.gz", huge, sizeof huge);
    assert_refused(data_settings("mnist", "path", folder, NULL), "4294967303 bytes once");
    word(huge + 4, 3); /* three labels that do not come */
    gz_write(folder, "train-labels-idx1-ubyte.gz", huge, sizeof huge);
    assert_refused(data_settings("mnist", "path", folder, NULL), "at least 9 bytes, found 8");
    scratch_remove(folder);
}

static void a_byte_after_the_last_label_is_refused_in_gzip_too(void **state) {
    char folder[PATH_TEXT];
    unsigned char labels[8 + TRAIN + 1] = {0};
    (void)state;
    scratch_create(folder);
    idx_write_gz(folder);
    word(labels, 2049);
    word(labels + 4, TRAIN);
    gz_write(folder, "train-labels-idx1-ubyte.gz", labels, sizeof labels);
    assert_refused(data_settings("mnist", "path", folder, NULL), "expected 68 bytes, found more");
    scratch_remove(folder);
}

static void paths_that_lead_nowhere_are_refused(void **state) {
    char folder[PATH_TEXT], path[2 * PATH_TEXT], longest[6000];
    (void)state;
    scratch_create(folder);
    assert_refused(data_settings("mnist", NULL), "data.path: not given");
    assert_refused(data_settings("mnist", "path", path_in(path, folder, "nothing"), NULL),
                   "No such file");
    assert_refused(data_settings("mnist", "path", folder, NULL), "no file of mnist");
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_refused(data_settings("mnist", "path", longest, NULL), "longer than");
    idx_write(folder);
    assert_refused(data_settings("mnist", "path", path_in(path, folder, idx_names[0]), NULL),
                   "not a folder");
    assert_int_equal(unlink(path_in(path, folder, idx_names[2])), 0);
    assert_refused(data_settings("mnist", "path", folder, NULL),
                   "t10k-images-idx3-ubyte.gz: missing");
    assert_int_equal(mkdir(path, 0700), 0);
    assert_refused(data_settings("mnist", "path", folder, NULL), "found a folder");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* opening it would wait for ever */
    assert_refused(data_settings("mnist", "path", folder, NULL), "found a device");
    scratch_remove(folder);
}

/* ---- CIFAR ----------------------------------------------------------------------------------- */

enum { RECORDS = 10000, PLANES = 3072 };

/* A batch of the official size: record i has label (i + shift) % 10 and planes of which only a few
 * pixels are not zero (the file is sparse). */
static void cifar_write(const char *folder, const char *name, size_t label_bytes, size_t records,
                        int shift) {
    char path[2 * PATH_TEXT];
    FILE *f = fopen(path_in(path, folder, name), "wb");
    assert_non_null(f);
    for (size_t i = 0; i < records; i++) {
        const int fine = (int)((i + (size_t)shift) % (label_bytes == 2 ? 100 : 10));
        assert_int_equal(fseek(f, (long)(i * (label_bytes + PLANES)), SEEK_SET), 0);
        if (label_bytes == 2) putc(fine / 5, f);
        putc(fine, f);
    }
    for (int plane = 0; plane < 3; plane++) /* record 7, pixel (2, 5): 10, 11, 12 */
        for (long at = 0; at < 1; at++) {
            long record = 7L * (long)(label_bytes + PLANES) + (long)label_bytes;
            assert_int_equal(fseek(f, record + 1024 * plane + 2 * 32 + 5, SEEK_SET), 0);
            putc(10 + plane, f);
        }
    assert_int_equal(fclose(f), 0);
    assert_int_equal(truncate(path, (off_t)(records * (label_bytes + PLANES))), 0);
}

static void cifar_planes_become_pixels(void **state) {
    char folder[PATH_TEXT];
    (void)state;
    scratch_create(folder);
    cifar_write(folder, "data_batch_1.bin", 1, RECORDS, 0);
    cifar_write(folder, "test_batch.bin", 1, RECORDS, 3);
    struct dataset d =
        load(data_settings("cifar10", "path", folder, "train", "20", "balance", "false", NULL), 1);
    const uint8_t *x = (const uint8_t *)d.train.x[0] + 7 * PLANES;
    assert_int_equal(d.train.n, 20);
    for (size_t i = 0; i < PLANES; i++) {
        const size_t at = (2 * 32 + 5) * 3;
        assert_int_equal(x[i], i >= at && i < at + 3 ? 10 + (i - at) : 0);
    }
    for (size_t i = 0; i < 20; i++) assert_int_equal(d.train.label[i], i % 10);
    assert_int_equal(d.test.n, RECORDS);
    assert_int_equal(d.test.label[0], 3);
    assert_int_equal(d.test.index[0], 50000);
    assert_string_equal(d.class_names[9], "truck");
    data_free(&d);
    scratch_remove(folder);
}

static void only_the_batches_that_the_pool_needs_must_exist(void **state) {
    char folder[PATH_TEXT];
    (void)state;
    scratch_create(folder);
    cifar_write(folder, "data_batch_1.bin", 1, RECORDS, 0);
    cifar_write(folder, "data_batch_2.bin", 1, RECORDS, 0);
    cifar_write(folder, "test_batch.bin", 1, RECORDS, 0);
    struct dataset d = load(data_settings("cifar10", "path", folder, "train", "15000", "validation",
                                          "5000", "test", "10", NULL),
                            1);
    assert_int_equal(d.train.n, 15000);
    assert_int_equal(d.validation.n, 5000);
    assert_true(d.train.index[d.train.n - 1] >= RECORDS);
    data_free(&d);
    assert_refused(data_settings("cifar10", "path", folder, "train", "20001", NULL),
                   "data_batch_3.bin: missing, and 20001 balanced");
    assert_refused(data_settings("cifar10", "path", folder, "train", "20001", NULL),
                   "at most 20000");
    assert_refused(data_settings("cifar10", "path", folder, NULL), "data.train: 0");
    scratch_remove(folder);
}

static void broken_cifar_files_are_refused(void **state) {
    char folder[PATH_TEXT], path[2 * PATH_TEXT];
    (void)state;
    scratch_create(folder);
    cifar_write(folder, "data_batch_1.bin", 1, RECORDS, 0);
    cifar_write(folder, "test_batch.bin", 1, RECORDS - 1, 0);
    assert_refused(data_settings("cifar10", "path", folder, "train", "20", NULL),
                   "expected 30730000 bytes, found 30726927");
    cifar_write(folder, "test_batch.bin", 1, RECORDS, 0);
    FILE *f = fopen(path_in(path, folder, "data_batch_1.bin"), "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, 5 * 3073L, SEEK_SET), 0);
    putc(10, f);
    assert_int_equal(fclose(f), 0);
    assert_refused(data_settings("cifar10", "path", folder, "train", "20", NULL),
                   "label of record 5 is 10, expected 0 to 9");
    assert_int_equal(unlink(path_in(path, folder, "test_batch.bin")), 0);
    cifar_write(folder, "data_batch_1.bin", 1, RECORDS, 0);
    assert_refused(data_settings("cifar10", "path", folder, "train", "20", NULL),
                   "test_batch.bin: missing");
    scratch_remove(folder);
}

static void cifar100_has_fine_and_coarse_labels(void **state) {
    char folder[PATH_TEXT];
    (void)state;
    scratch_create(folder);
    cifar_write(folder, "train.bin", 2, 50000, 0);
    cifar_write(folder, "test.bin", 2, RECORDS, 0);
    struct dataset fine = load(data_settings("cifar100", "path", folder, "train", "100", "test",
                                             "100", "balance", "false", NULL),
                               1);
    struct dataset coarse = load(data_settings("cifar100", "path", folder, "train", "100", "test",
                                               "100", "balance", "false", "labels", "coarse", NULL),
                                 1);
    assert_int_equal(fine.K, 100);
    assert_int_equal(coarse.K, 20);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(fine.train.label[i], i);
        assert_int_equal(coarse.train.label[i], i / 5);
    }
    assert_string_equal(fine.class_names[99], "worm");
    assert_string_equal(coarse.class_names[19], "vehicles_2");
    assert_int_equal(((uint8_t *)fine.train.x[0])[7 * PLANES + (2 * 32 + 5) * 3 + 1], 11);
    assert_string_not_equal(fine.digest, coarse.digest);
    data_free(&fine);
    data_free(&coarse);
    scratch_remove(folder);
}

/* ---- subsets --------------------------------------------------------------------------------- */

static void quotas_are_dealt_out_one_by_one(void **state) {
    (void)state;
    for (size_t n = 0; n < 40; n++)
        for (size_t K = 1; K < 8; K++)
            for (size_t first = 0; first < K; first++) {
                size_t dealt[8] = {0};
                for (size_t i = 0; i < n; i++) dealt[(first + i) % K]++;
                for (size_t c = 0; c < K; c++)
                    assert_int_equal(pool_quota(n, K, first, c), dealt[c]);
            }
}

static void the_pool_is_the_shortest_prefix_that_holds_the_quotas(void **state) {
    static const int32_t label[] = {0, 0, 1, 0, 1, 2, 2, 1, 0, 2};
    (void)state;
    assert_int_equal(pool_prefix(label, 10, 3, 3, true), 6);   /* one each */
    assert_int_equal(pool_prefix(label, 10, 3, 4, true), 6);   /* two 0, one 1, one 2 */
    assert_int_equal(pool_prefix(label, 10, 3, 6, true), 7);   /* two each */
    assert_int_equal(pool_prefix(label, 10, 3, 9, true), 10);  /* three each */
    assert_int_equal(pool_prefix(label, 10, 3, 10, true), 10); /* four 0, three each */
    assert_int_equal(pool_prefix(label, 9, 3, 9, true), 0);    /* only two 2 */
    assert_int_equal(pool_prefix(label, 10, 3, 11, true), 0);
    assert_int_equal(pool_prefix(label, 10, 3, 5, false), 5);
    assert_int_equal(pool_prefix(label, 10, 3, 0, true), 10); /* all */
    assert_int_equal(pool_largest(label, 10, 3), 10);
    assert_int_equal(pool_largest(label, 9, 3), 8); /* 3, 3, 2 */
    assert_int_equal(pool_largest(label, 5, 3), 2); /* 1, 1, 0 */
}

/* Each set of labels: the largest can be drawn, one more cannot. */
static void the_largest_balanced_number_is_the_largest(void **state) {
    uint32_t noise = 1;
    (void)state;
    for (int trial = 0; trial < 500; trial++) {
        int32_t label[30];
        const size_t K = 2 + (size_t)trial % 4;
        for (size_t i = 0; i < 30; i++) {
            noise = noise * 1664525u + 1013904223u;
            label[i] = (int32_t)((noise >> 16) % K);
        }
        const size_t most = pool_largest(label, 30, K);
        assert_true(most == 0 || pool_prefix(label, 30, K, most, true) > 0);
        assert_int_equal(pool_prefix(label, 30, K, most + 1, true), 0);
    }
}

static struct dataset mnist_like(const char *folder, const char *train, const char *validation,
                                 const char *balance, uint64_t seed) {
    return load(data_settings("mnist", "path", folder, "train", train, "validation", validation,
                              "balance", balance, "test", "10", NULL),
                seed);
}

static void counts_of(const struct examples *x, size_t count[10]) {
    memset(count, 0, 10 * sizeof *count);
    for (size_t i = 0; i < x->n; i++) count[x->label[i]]++;
}

/* Every example is what the files hold at its index, in their order. */
static void assert_official(const struct examples *x) {
    for (size_t i = 0; i < x->n; i++) {
        assert_true(i == 0 || x->index[i] > x->index[i - 1]);
        assert_int_equal(x->label[i], train_label(x->index[i]));
        assert_int_equal(((uint8_t *)x->x[0])[i * PIXELS + 100], pixel(x->index[i], 100));
    }
}

/* Class 3 is met at 33 and 43: two of each class lie in the first 44 examples. */
static void a_subset_is_balanced_and_comes_from_the_shortest_prefix(void **state) {
    char folder[PATH_TEXT];
    size_t train[10], validation[10];
    (void)state;
    scratch_create(folder);
    idx_write(folder);
    struct dataset d = mnist_like(folder, "14", "6", "true", 5);
    counts_of(&d.train, train);
    counts_of(&d.validation, validation);
    assert_official(&d.train);
    assert_official(&d.validation);
    for (size_t c = 0; c < 10; c++) { /* 14 = 2 of 0..3, 1 of 4..9; the six go on from 4 */
        assert_int_equal(train[c], c < 4 ? 2 : 1);
        assert_int_equal(validation[c], c < 4 ? 0 : 1);
    }
    for (size_t i = 0; i < d.train.n; i++) {
        assert_true(d.train.index[i] < 44);
        for (size_t j = 0; j < d.validation.n; j++)
            assert_int_not_equal(d.train.index[i], d.validation.index[j]);
    }
    data_free(&d);
    scratch_remove(folder);
}

static void the_draw_depends_on_the_seed_alone(void **state) {
    char folder[PATH_TEXT];
    (void)state;
    scratch_create(folder);
    idx_write(folder);
    struct dataset a = mnist_like(folder, "20", "0", "true", 5);
    struct dataset b = mnist_like(folder, "20", "0", "true", 5);
    struct dataset c = mnist_like(folder, "20", "0", "true", 6);
    assert_string_equal(a.digest, b.digest);
    assert_string_not_equal(a.digest, c.digest);
    assert_memory_equal(a.train.index, b.train.index, 20 * sizeof *a.train.index);
    assert_memory_not_equal(a.train.index, c.train.index, 20 * sizeof *a.train.index);
    data_free(&a);
    data_free(&b);
    data_free(&c);
    scratch_remove(folder);
}

/* Over seeds every candidate of a class with a surplus is drawn about equally often: class 0 has 5
 * candidates below 44, of which 2 are drawn: 400 of 1000 seeds +- 5 * 15.5. */
static void the_draw_is_uniform_over_the_pool(void **state) {
    char folder[PATH_TEXT];
    size_t drawn[TRAIN] = {0};
    (void)state;
    scratch_create(folder);
    idx_write(folder);
    for (uint64_t seed = 0; seed < 1000; seed++) {
        struct dataset d = mnist_like(folder, "20", "0", "true", seed);
        for (size_t i = 0; i < d.train.n; i++) drawn[d.train.index[i]]++;
        data_free(&d);
    }
    for (size_t i = 0; i < 44; i += 10) assert_in_range(drawn[i], 400 - 78, 400 + 78);
    assert_int_equal(drawn[33], 1000); /* the rarest class is taken whole */
    assert_int_equal(drawn[43], 1000);
    for (size_t i = 44; i < TRAIN; i++) assert_int_equal(drawn[i], 0);
    scratch_remove(folder);
}

static void without_balance_the_first_are_taken(void **state) {
    char folder[PATH_TEXT];
    (void)state;
    scratch_create(folder);
    idx_write(folder);
    struct dataset d = mnist_like(folder, "17", "0", "false", 5);
    assert_int_equal(d.train.n, 17);
    assert_int_equal(d.train.index[16], 16);
    data_free(&d);
    d = mnist_like(folder, "12", "5", "false", 5);
    assert_int_equal(d.train.n, 12);
    assert_int_equal(d.validation.n, 5);
    assert_official(&d.train);
    assert_official(&d.validation);
    assert_true(d.train.index[11] < 17 && d.validation.index[4] < 17);
    data_free(&d);
    scratch_remove(folder);
}

static void validation_is_taken_out_of_all(void **state) {
    char folder[PATH_TEXT];
    size_t count[10];
    (void)state;
    scratch_create(folder);
    idx_write(folder);
    struct dataset d = mnist_like(folder, "0", "20", "true", 5);
    assert_int_equal(d.train.n, TRAIN - 20);
    assert_int_equal(d.validation.n, 20);
    counts_of(&d.validation, count);
    for (size_t c = 0; c < 10; c++) assert_int_equal(count[c], 2);
    data_free(&d);
    assert_refused(data_settings("mnist", "path", folder, "validation", "40", NULL),
                   "data.validation");
    assert_refused(data_settings("mnist", "path", folder, "validation", "60", NULL),
                   "none to train");
    scratch_remove(folder);
}

/* Class 3 has 3 examples (33, 43, 53): 30 balanced and three classes before it with one more. */
static void more_than_can_be_balanced_names_the_largest_number(void **state) {
    char folder[PATH_TEXT];
    (void)state;
    scratch_create(folder);
    idx_write(folder);
    assert_refused(data_settings("mnist", "path", folder, "train", "34", NULL),
                   "data.train: 34 examples wanted, but at most 33 can");
    struct dataset d = mnist_like(folder, "33", "0", "true", 1);
    data_free(&d);
    assert_refused(data_settings("mnist", "path", folder, "train", "30", "validation", "4", NULL),
                   "data.train + data.validation: 34");
    assert_refused(data_settings("mnist", "path", folder, "test", "21", NULL),
                   "data.test: 21 examples wanted, but at most 20");
    assert_refused(data_settings("mnist", "path", folder, "train", "61", "balance", "false", NULL),
                   "at most 60 are there");
    assert_refused(data_settings("mnist", "path", folder, "train", "2147483647", "validation",
                                 "2147483647", NULL),
                   "4294967294 examples wanted");
    scratch_remove(folder);
}

static void the_test_subset_is_balanced_too(void **state) {
    char folder[PATH_TEXT];
    size_t count[10];
    (void)state;
    scratch_create(folder);
    idx_write(folder);
    struct dataset d = load(data_settings("mnist", "path", folder, "test", "13", NULL), 1);
    counts_of(&d.test, count);
    for (size_t c = 0; c < 10; c++) assert_int_equal(count[c], c < 3 ? 2 : 1);
    assert_int_equal(d.train.n, TRAIN);
    data_free(&d);
    scratch_remove(folder);
}

/* ---- normalization and digest ---------------------------------------------------------------- */

static void normalization_is_of_the_training_examples(void **state) {
    char folder[PATH_TEXT];
    double sum = 0, squares = 0;
    (void)state;
    scratch_create(folder);
    idx_write(folder);
    struct dataset d = mnist_like(folder, "20", "10", "true", 5);
    const double n = 20 * PIXELS;
    for (size_t i = 0; i < 20 * PIXELS; i++) sum += ((uint8_t *)d.train.x[0])[i];
    for (size_t i = 0; i < 20 * PIXELS; i++)
        squares += pow(((uint8_t *)d.train.x[0])[i] - sum / n, 2);
    assert_true(fabs(d.modality[0].mean[0] - sum / n) < 1e-10);
    assert_true(fabs(d.modality[0].sd[0] - sqrt(squares / n)) < 1e-10);
    data_free(&d);
    scratch_remove(folder);
}

static void one_pixel_or_one_label_changes_the_digest(void **state) {
    char folder[PATH_TEXT], digest[3][HASH_TEXT];
    size_t n;
    (void)state;
    scratch_create(folder);
    idx_write(folder);
    for (size_t i = 0; i < 3; i++) {
        unsigned char *x = bytes_read(folder, idx_names[i], &n);
        x[i == 1 ? 8 : 20] ^= 1;
        if (i < 2) bytes_write(folder, idx_names[i], x, n);
        free(x);
        struct dataset d = load(data_settings("mnist", "path", folder, NULL), 1);
        memcpy(digest[i], d.digest, HASH_TEXT);
        data_free(&d);
    }
    assert_string_not_equal(digest[0], digest[1]);
    assert_string_equal(digest[1], digest[2]);
    scratch_remove(folder);
}

/* ---- HDF5 ------------------------------------------------------------------------------------ */

enum { N = 12, H = 3, W = 4, C = 2 };

static void h5_put(const char *path, const char *name, hid_t type, const void *x, int rank,
                   const hsize_t *shape) {
    hid_t f = access(path, F_OK) == 0 ? H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT)
                                      : H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(f >= 0);
    if (H5Lexists(f, name, H5P_DEFAULT) > 0) H5Ldelete(f, name, H5P_DEFAULT);
    assert_true(H5LTmake_dataset(f, name, rank, shape, type, x) >= 0);
    H5Fclose(f);
}

static void h5_put_labels(const char *path, const char *name, size_t n, int first) {
    int32_t label[2 * N];
    for (size_t i = 0; i < n; i++) label[i] = (int32_t)((i + (size_t)first) % 3);
    h5_put(path, name, H5T_STD_I32LE, label, 1, (hsize_t[]){n});
}

static void h5_put_floats_set(const char *path, const char *name, size_t n) {
    float x[2 * N * H * W * C];
    for (size_t i = 0; i < n * H * W * C; i++) x[i] = (float)i * (i % 2 ? 0.5f : 0) + 1;
    h5_put(path, name, H5T_IEEE_F32LE, x, 4, (hsize_t[]){n, H, W, C});
}

static void h5_put_bytes_set(const char *path, const char *name, size_t n) {
    uint8_t x[2 * N * H * W * C];
    for (size_t i = 0; i < n * H * W * C; i++) x[i] = (uint8_t)(i % 251);
    h5_put(path, name, H5T_STD_U8LE, x, 4, (hsize_t[]){n, H, W, C});
}

/* Images that were never written: chunked, so that they take no room. */
static void h5_put_claim(const char *path, const char *name, hsize_t n) {
    hid_t f = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), list = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(4, (hsize_t[]){n, H, W, C}, NULL);
    H5Ldelete(f, name, H5P_DEFAULT);
    H5Pset_chunk(list, 4, (hsize_t[]){64, H, W, C});
    hid_t set = H5Dcreate2(f, name, H5T_STD_U8LE, space, H5P_DEFAULT, list, H5P_DEFAULT);
    assert_true(set >= 0);
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(list);
    H5Fclose(f);
}

static void a_users_file_of_bytes_is_read(void **state) {
    char folder[PATH_TEXT], path[2 * PATH_TEXT];
    (void)state;
    scratch_create(folder);
    path_in(path, folder, "mine.h5");
    h5_put_bytes_set(path, "images", N);
    h5_put_labels(path, "labels", N, 0);
    h5_put_bytes_set(path, "test_images", 6);
    h5_put_labels(path, "test_labels", 6, 1);
    struct dataset d = load(data_settings("hdf5", "path", path, NULL), 1);
    assert_int_equal(d.K, 3);
    assert_int_equal(d.train.n, N);
    assert_int_equal(d.test.n, 6);
    assert_int_equal(d.modality[0].H, H);
    assert_int_equal(d.modality[0].W, W);
    assert_int_equal(d.modality[0].C, C);
    assert_true(d.modality[0].bytes);
    for (size_t i = 0; i < N * H * W * C; i++)
        assert_int_equal(((uint8_t *)d.train.x[0])[i], i % 251);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(d.test.label[i], (i + 1) % 3);
        assert_int_equal(d.test.index[i], N + i);
    }
    data_free(&d);
    scratch_remove(folder);
}

static void a_users_file_of_floats_keeps_its_scale_and_a_constant_channel(void **state) {
    char folder[PATH_TEXT], path[2 * PATH_TEXT];
    double sum = 0, squares = 0;
    (void)state;
    scratch_create(folder);
    path_in(path, folder, "mine.h5");
    h5_put_floats_set(path, "images", N);
    h5_put_labels(path, "labels", N, 0);
    struct dataset d = load(data_settings("hdf5", "path", path, "held_out", "3", NULL), 1);
    const float *x = d.train.x[0];
    assert_int_equal(d.train.n, N - 3);
    assert_int_equal(d.test.n, 3);
    assert_int_equal(d.test.index[0], N - 3);
    assert_false(d.modality[0].bytes);
    for (size_t i = 1; i < (N - 3) * H * W * C; i += 2) sum += (double)x[i];
    const double n = (N - 3) * H * W;
    for (size_t i = 1; i < (N - 3) * H * W * C; i += 2) squares += pow((double)x[i] - sum / n, 2);
    assert_true(fabs(d.modality[0].mean[0] - 1) < 1e-12);
    assert_true(d.modality[0].sd[0] == 1); /* would divide by zero */
    assert_true(fabs(d.modality[0].mean[1] - sum / n) < 1e-9);
    assert_true(fabs(d.modality[0].sd[1] - sqrt(squares / n)) < 1e-9);
    data_free(&d);
    scratch_remove(folder);
}

static void class_names_of_a_users_file_say_how_many_classes(void **state) {
    char folder[PATH_TEXT], path[2 * PATH_TEXT], names[4][6] = {"one", "two", "three", "four"};
    (void)state;
    scratch_create(folder);
    path_in(path, folder, "mine.h5");
    h5_put_bytes_set(path, "images", N);
    h5_put_labels(path, "labels", N, 0);
    hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, 6);
    h5_put(path, "class_names", text, names, 1, (hsize_t[]){4});
    struct dataset d = load(data_settings("hdf5", "path", path, "held_out", "3", NULL), 1);
    assert_int_equal(d.K, 4);
    assert_string_equal(d.class_names[2], "three");
    data_free(&d);
    h5_put(path, "class_names", text, names, 1, (hsize_t[]){2});
    assert_refused(data_settings("hdf5", "path", path, "held_out", "3", NULL),
                   "label 2 has no name");
    H5Tclose(text);
    scratch_remove(folder);
}

static void users_files_that_are_wrong_are_refused(void **state) {
    char folder[PATH_TEXT], path[2 * PATH_TEXT];
    float x[N * H * W * C] = {0};
    int32_t label[N] = {0};
    double real_label[N] = {0};
    (void)state;
    scratch_create(folder);
    path_in(path, folder, "mine.h5");
    assert_refused(data_settings("hdf5", "path", folder, NULL), "found a folder");
    assert_refused(data_settings("hdf5", "path", path, NULL), "missing");
    bytes_write(folder, "mine.h5", "not HDF5", 8);
    assert_refused(data_settings("hdf5", "path", path, NULL), "not an HDF5 file");
    assert_int_equal(unlink(path), 0);
    h5_put_labels(path, "labels", N, 0);
    assert_refused(data_settings("hdf5", "path", path, NULL), "no dataset 'images'");
    h5_put(path, "images", H5T_IEEE_F32LE, x, 3, (hsize_t[]){N, H, W * C});
    assert_refused(data_settings("hdf5", "path", path, NULL), "four axes");
    h5_put(path, "images", H5T_IEEE_F32LE, x, 4, (hsize_t[]){2, 2, 3, 24});
    assert_refused(data_settings("hdf5", "path", path, NULL), "channels stand last");
    h5_put(path, "images", H5T_IEEE_F64LE, (double[N * H * W * C]){0}, 4, (hsize_t[]){N, H, W, C});
    assert_refused(data_settings("hdf5", "path", path, NULL), "uint8 or float32");
    h5_put_claim(path, "images", 1000000000);
    assert_refused(data_settings("hdf5", "path", path, NULL), "claims 1000000000 images");
    h5_put_bytes_set(path, "images", N);
    assert_refused(data_settings("hdf5", "path", path, NULL), "data.held_out");
    assert_refused(data_settings("hdf5", "path", path, "held_out", "12", NULL), "data.held_out");
    h5_put_labels(path, "labels", N - 1, 0);
    assert_refused(data_settings("hdf5", "path", path, "held_out", "3", NULL), "12 entries");
    h5_put(path, "labels", H5T_IEEE_F64LE, real_label, 1, (hsize_t[]){N});
    assert_refused(data_settings("hdf5", "path", path, "held_out", "3", NULL), "integers");
    label[4] = -1;
    h5_put(path, "labels", H5T_STD_I32LE, label, 1, (hsize_t[]){N});
    assert_refused(data_settings("hdf5", "path", path, "held_out", "3", NULL), "'labels'[4] is -1");
    for (int i = 0; i < N; i++) label[i] = 1 + i % 2;
    h5_put(path, "labels", H5T_STD_I32LE, label, 1, (hsize_t[]){N});
    assert_refused(data_settings("hdf5", "path", path, "held_out", "3", NULL), "class 0 of the 3");
    h5_put_labels(path, "labels", N, 0);
    h5_put_bytes_set(path, "test_images", 4);
    assert_refused(data_settings("hdf5", "path", path, NULL), "no dataset 'test_labels'");
    h5_put_labels(path, "test_labels", 4, 0);
    assert_refused(data_settings("hdf5", "path", path, "held_out", "3", NULL), "leave it out");
    h5_put_floats_set(path, "test_images", 4);
    assert_refused(data_settings("hdf5", "path", path, NULL), "size and type");
    x[5 * H * W * C + 1] = NAN;
    h5_put(path, "images", H5T_IEEE_F32LE, x, 4, (hsize_t[]){N, H, W, C});
    assert_refused(data_settings("hdf5", "path", path, NULL), "not finite in image 5");
    scratch_remove(folder);
}

/* ---- registry, information, verification ----------------------------------------------------- */

static void every_data_set_is_found_and_documented(void **state) {
    size_t n;
    const struct dataset_type *const *list = dataset_list(&n);
    (void)state;
    assert_true(n >= 6);
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(dataset_find(list[i]->name), list[i]);
        assert_true(strlen(list[i]->doc) > 10 && strlen(list[i]->source) > 10);
        assert_true(!list[i]->official || list[i]->folders);
        struct settings s = data_settings(list[i]->name, NULL);
        settings_free(&s);
    }
    assert_null(dataset_find("no such set"));
}

static void md5_is_that_of_rfc_1321(void **state) {
    static const char *const text[] = {"", "abc", "message digest"};
    static const char *const sum[] = {"d41d8cd98f00b204e9800998ecf8427e",
                                      "900150983cd24fb0d6963f7d28e17f72",
                                      "f96b697d7cb7938d525a2f31aaf161d0"};
    char folder[PATH_TEXT], path[2 * PATH_TEXT], found[MD5_TEXT];
    struct error e = {0};
    (void)state;
    scratch_create(folder);
    for (size_t i = 0; i < 3; i++) {
        bytes_write(folder, "text", text[i], strlen(text[i]));
        assert_int_equal(md5_file(path_in(path, folder, "text"), found, &e), 0);
        assert_string_equal(found, sum[i]);
    }
    char long_text[80]; /* RFC 1321's last vector: eight times these digits; more than one block */
    for (size_t i = 0; i < 80; i++) long_text[i] = (char)('0' + (i + 1) % 10);
    bytes_write(folder, "text", long_text, 80);
    assert_int_equal(md5_file(path_in(path, folder, "text"), found, &e), 0);
    assert_string_equal(found, "57edf4a22be3c955ac49da2e2107b67a");
    assert_int_equal(md5_file(path_in(path, folder, "none"), found, &e), STATUS_USAGE);
    scratch_remove(folder);
}

/* What data_verify prints, in `text`, and its status. */
static int verify(const char *set, const char *path, char *text, size_t n, struct error *e) {
    FILE *out = tmpfile();
    assert_non_null(out);
    int status = data_verify(dataset_find(set), path, out, e);
    rewind(out);
    text[fread(text, 1, n - 1, out)] = '\0';
    fclose(out);
    return status;
}

static void verify_names_each_file_that_is_wrong(void **state) {
    char folder[PATH_TEXT], path[2 * PATH_TEXT], text[4000];
    struct error e = {0};
    (void)state;
    scratch_create(folder);
    idx_write_gz(folder);
    assert_int_equal(unlink(path_in(path, folder, "t10k-labels-idx1-ubyte.gz")), 0);
    assert_int_equal(verify("mnist", folder, text, sizeof text, &e), STATUS_USAGE);
    assert_non_null(strstr(e.text, "4 of the 4 files"));
    assert_non_null(strstr(text, "expected 9912422 bytes, found "));
    assert_non_null(strstr(text, "t10k-labels-idx1-ubyte.gz: missing"));
    scratch_remove(folder);
    scratch_create(folder);
    idx_write(folder); /* not compressed: there is no sum to compare with */
    assert_int_equal(verify("mnist", folder, text, sizeof text, &e), STATUS_OK);
    assert_non_null(strstr(text, "read     60 training and 20 test examples, 10 classes"));
    scratch_remove(folder);
    assert_int_equal(verify("optotypes", "", text, sizeof text, &e), STATUS_OK);
    assert_non_null(strstr(text, "3000 training"));
}

/* ---- the published sets, where they are ------------------------------------------------------ */

/* Where the sets lie: IMPRINT_TEST_DATA, or beside the checkout. Skips the test otherwise. */
static const char *published(const char *folder, char path[2 * PATH_TEXT]) {
    const char *root = getenv("IMPRINT_TEST_DATA");
    path_in(path, root ? root : "../shared/data", folder);
    if (access(path, R_OK) == 0) return path;
    print_message("skipped: no %s (set IMPRINT_TEST_DATA to the folder above it)\n", path);
    skip();
    return NULL;
}

static void assert_mean(const struct dataset *d, size_t c, double mean) {
    assert_true(fabs(d->modality[0].mean[c] / 255 - mean) < 5.1e-6); /* five digits known */
}

static void mnist_is_as_published(void **state) {
    static const size_t expected[10] = {5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949};
    char path[2 * PATH_TEXT], text[4000];
    struct error e = {0};
    size_t count[10];
    (void)state;
    struct dataset d = load(data_settings("mnist", "path", published("mnist", path), NULL), 1);
    counts_of(&d.train, count);
    assert_memory_equal(count, expected, sizeof count);
    assert_mean(&d, 0, 0.13066);
    data_free(&d);
    assert_int_equal(verify("mnist", path, text, sizeof text, &e), STATUS_OK);
    assert_non_null(strstr(text, "60000 training and 10000 test examples"));
}

static void fashion_mnist_is_as_published(void **state) {
    char path[2 * PATH_TEXT];
    size_t count[10];
    (void)state;
    struct dataset d =
        load(data_settings("fashion_mnist", "path", published("fashion-mnist", path), NULL), 1);
    counts_of(&d.train, count);
    for (size_t c = 0; c < 10; c++) assert_int_equal(count[c], 6000);
    assert_mean(&d, 0, 0.28604);
    data_free(&d);
}

static void cifar10s_first_batch_is_as_published(void **state) {
    static const size_t expected[10] = {1005, 974, 1032, 1016, 999, 937, 1030, 1001, 1025, 981};
    char path[2 * PATH_TEXT];
    size_t count[10];
    (void)state;
    struct dataset d = load(data_settings("cifar10", "path", published("cifar-10", path), "train",
                                          "10000", "balance", "false", NULL),
                            1);
    counts_of(&d.train, count);
    assert_memory_equal(count, expected, sizeof count);
    counts_of(&d.test, count);
    for (size_t c = 0; c < 10; c++) assert_int_equal(count[c], 1000);
    data_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idx_files_are_read_to_the_pixel),
        cmocka_unit_test(gzipped_idx_files_give_the_same_data_set),
        cmocka_unit_test(the_folder_above_is_found_too),
        cmocka_unit_test(broken_idx_files_are_refused),
        cmocka_unit_test(broken_gzip_files_are_refused),
        cmocka_unit_test(gzip_content_of_the_wrong_length_is_refused),
        cmocka_unit_test(a_byte_after_the_last_label_is_refused_in_gzip_too),
        cmocka_unit_test(paths_that_lead_nowhere_are_refused),
        cmocka_unit_test(cifar_planes_become_pixels),
        cmocka_unit_test(only_the_batches_that_the_pool_needs_must_exist),
        cmocka_unit_test(broken_cifar_files_are_refused),
        cmocka_unit_test(cifar100_has_fine_and_coarse_labels),
        cmocka_unit_test(quotas_are_dealt_out_one_by_one),
        cmocka_unit_test(the_pool_is_the_shortest_prefix_that_holds_the_quotas),
        cmocka_unit_test(the_largest_balanced_number_is_the_largest),
        cmocka_unit_test(a_subset_is_balanced_and_comes_from_the_shortest_prefix),
        cmocka_unit_test(the_draw_depends_on_the_seed_alone),
        cmocka_unit_test(the_draw_is_uniform_over_the_pool),
        cmocka_unit_test(without_balance_the_first_are_taken),
        cmocka_unit_test(validation_is_taken_out_of_all),
        cmocka_unit_test(more_than_can_be_balanced_names_the_largest_number),
        cmocka_unit_test(the_test_subset_is_balanced_too),
        cmocka_unit_test(normalization_is_of_the_training_examples),
        cmocka_unit_test(one_pixel_or_one_label_changes_the_digest),
        cmocka_unit_test(a_users_file_of_bytes_is_read),
        cmocka_unit_test(a_users_file_of_floats_keeps_its_scale_and_a_constant_channel),
        cmocka_unit_test(class_names_of_a_users_file_say_how_many_classes),
        cmocka_unit_test(users_files_that_are_wrong_are_refused),
        cmocka_unit_test(every_data_set_is_found_and_documented),
        cmocka_unit_test(md5_is_that_of_rfc_1321),
        cmocka_unit_test(verify_names_each_file_that_is_wrong),
        cmocka_unit_test(mnist_is_as_published),
        cmocka_unit_test(fashion_mnist_is_as_published),
        cmocka_unit_test(cifar10s_first_batch_is_as_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
