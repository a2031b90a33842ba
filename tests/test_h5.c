/* HDF5 files: what is put is got back, scales and units are there, and no damaged, torn or edited
 * file passes for a whole one. */
#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/rng.h"
#include "tests/run_fixture.h"

static void path_in(char path[FIXTURE_TEXT], void **folder, const char *name) {
    snprintf(path, FIXTURE_TEXT, "%.3000s/%.200s", (char *)*folder, name);
}

static void write_example(const char *path, double value) {
    static const int64_t epochs[] = {0, 1, 2};
    static const char *const layers[] = {"conv1", "fc"};
    const double series[] = {NAN, value, 2.0}, layered[] = {1, 2, 3, 4, 5, 6};
    const float tensor[] = {1, 2, 3, 4, 5, 6};
    struct h5_writer *w = h5_create(path);
    struct error e = {0};
    h5_put_scale_ints(w, "epoch", epochs, 3, &(struct h5_about){"epochs", "epoch", NULL});
    h5_put_scale_texts(w, "layer", layers, 2, NULL);
    h5_put_doubles(w, "test_loss", series, 1, (const char *[]){"epoch"},
                   &(struct h5_about){"nats", "test loss", NULL});
    h5_put_doubles(w, "layered", layered, 2, (const char *[]){"epoch", "layer"}, NULL);
    h5_put_tensor(w, "params/fc.weight", tensor, sizeof *tensor, 2, (const size_t[]){2, 3}, NULL);
    h5_put_text(w, "config", "a: b\n", NULL);
    h5_put_attr_int(w, "/", "seed", -7);
    h5_put_attr_text(w, "/", "status", "done");
    if (h5_commit(w, true, &e)) fail_msg("%s", e.text);
}

static struct h5_reader *open_example(const char *path) {
    struct h5_reader *r;
    struct error e = {0};
    if (h5_open_sealed(&r, path, &e)) fail_msg("%s", e.text);
    return r;
}

static void what_is_put_is_got_back(void **folder) {
    char path[FIXTURE_TEXT], dim[H5_NAME];
    double series[3], layered[6];
    float tensor[6];
    size_t shape[H5_RANK], n, element;
    path_in(path, folder, "back.h5");
    write_example(path, 0.1);
    struct h5_reader *r = open_example(path);
    assert_int_equal(h5_get_doubles(r, "test_loss", series, NULL), 0);
    assert_true(isnan(series[0]) && series[1] == 0.1 && series[2] == 2.0);
    assert_int_equal(h5_get_doubles(r, "layered", layered, NULL), 0);
    assert_true(layered[5] == 6);
    assert_int_equal(h5_shape(r, "layered", shape), 2);
    assert_true(shape[0] == 3 && shape[1] == 2);
    assert_int_equal(h5_dim_name(r, "layered", 1, dim), 0);
    assert_string_equal(dim, "layer");
    assert_int_equal(h5_get_floats(r, "params/fc.weight", tensor, NULL), 0);
    assert_true(tensor[4] == 5);
    assert_int_equal(h5_kind(r, "params/fc.weight", &element), H5_FLOATS);
    assert_int_equal(element, 4);
    char **layers = h5_get_texts(r, "layer", &n), *config = h5_get_text(r, "config");
    assert_int_equal(n, 2);
    assert_string_equal(layers[0], "conv1");
    assert_string_equal(config, "a: b\n");
    assert_int_equal(h5_attr_int(r, "/", "seed", 0), -7);
    assert_int_equal(h5_attr_int(r, "/", "absent", 5), 5);
    assert_int_equal(h5_check_digest(r, NULL), 0);
    for (size_t i = 0; i < n; i++) free(layers[i]);
    free(layers);
    free(config);
    h5_close(r);
}

static void equal_content_gives_equal_bytes_and_one_digest(void **folder) {
    char a[FIXTURE_TEXT], b[FIXTURE_TEXT], command[3 * FIXTURE_TEXT];
    path_in(a, folder, "a.h5");
    path_in(b, folder, "b.h5");
    write_example(a, 0.25);
    write_example(b, 0.25);
    snprintf(command, sizeof command, "cmp -s '%s' '%s'", a, b);
    assert_int_equal(system(command), 0);
    write_example(b, nextafter(0.25, 1.0));
    struct h5_reader *x = open_example(a), *y = open_example(b);
    char *p = h5_attr_text(x, "/", "content_digest"), *q = h5_attr_text(y, "/", "content_digest");
    assert_string_not_equal(p, q);
    free(p);
    free(q);
    h5_close(x);
    h5_close(y);
}

static long length_of_file(const char *path) {
    struct stat is;
    assert_int_equal(stat(path, &is), 0);
    return (long)is.st_size;
}

static void any_flipped_bit_is_found_before_the_library_reads(void **folder) {
    char path[FIXTURE_TEXT];
    path_in(path, folder, "flip.h5");
    write_example(path, 1.0);
    long size = length_of_file(path);
    struct rng rng = rng_stream(1, "order", 0, 0);
    for (int trial = 0; trial < 200; trial++) {
        long at = (long)rng_below(&rng, (uint32_t)size);
        int bit = 1 << rng_below(&rng, 8);
        FILE *f = fopen(path, "r+b");
        assert_non_null(f);
        fseek(f, at, SEEK_SET);
        int byte = fgetc(f);
        fseek(f, at, SEEK_SET);
        fputc(byte ^ bit, f);
        fclose(f);
        struct h5_reader *r;
        assert_int_equal(h5_open_sealed(&r, path, NULL), STATUS_FAILED);
        f = fopen(path, "r+b");
        fseek(f, at, SEEK_SET);
        fputc(byte, f);
        fclose(f);
    }
    h5_close(open_example(path));
}

static void a_file_cut_anywhere_is_not_trusted(void **folder) {
    char path[FIXTURE_TEXT];
    path_in(path, folder, "cut.h5");
    write_example(path, 1.0);
    long size = length_of_file(path);
    for (long keep = size - 1; keep > 0; keep -= 1 + size / 50) {
        struct h5_reader *r;
        assert_int_equal(truncate(path, keep), 0);
        assert_int_equal(h5_open_sealed(&r, path, NULL), STATUS_FAILED);
    }
}

static void a_file_that_cannot_be_written_leaves_the_old_one(void **folder) {
    char path[FIXTURE_TEXT], nowhere[FIXTURE_TEXT];
    struct error e = {0};
    path_in(path, folder, "old.h5");
    write_example(path, 3.0);
    path_in(nowhere, folder, "no/such/folder.h5");
    struct h5_writer *w = h5_create(nowhere);
    h5_put_attr_int(w, "/", "seed", 1);
    assert_int_equal(h5_commit(w, true, &e), STATUS_FAILED);
    assert_non_null(strstr(e.text, "cannot write it: No such file or directory"));
    w = h5_create(path); /* a mistake in it: the scale is missing */
    h5_put_doubles(w, "x", (const double[]){1}, 1, (const char *[]){"epoch"}, NULL);
    assert_int_equal(h5_commit(w, true, &e), STATUS_FAILED);
    h5_close(open_example(path));
}

/* Far larger than what is held of a file at a time, with rows of every length beside that. */
static struct h5_writer *put_large(const char *path) {
    enum { N = 1 << 17 };
    static const size_t shapes[][3] = {
        {N, 1, 1}, {1, N, 1}, {7, 3, 5000}, {2, 40000, 1}, {5, 0, 3}};
    float *v = malloc(N * sizeof *v);
    assert_non_null(v);
    for (size_t i = 0; i < N; i++) v[i] = (float)(i % 1009) / 8;
    struct h5_writer *w = h5_create(path);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char name[H5_NAME];
        snprintf(name, sizeof name, "params/%zu", i);
        h5_put_tensor(w, name, v, sizeof *v, i ? 3 : 1, shapes[i], NULL);
    }
    free(v);
    h5_put_text(w, "text", "a line", NULL);
    h5_put_attr_text(w, "/", "prefix_key", "0123");
    return w;
}

/* States are known by it: it must not change. */
static void the_digest_of_large_content_is_what_it_was(void **folder) {
    char path[FIXTURE_TEXT];
    struct error e = {0};
    path_in(path, folder, "large.h5");
    if (h5_commit(put_large(path), true, &e)) fail_msg("%s", e.text);
    struct h5_reader *r = open_example(path);
    char *digest = h5_attr_text(r, "/", "content_digest");
    assert_string_equal(digest, "6e3163cf59424901a402dcc1cecd160d");
    assert_int_equal(h5_check_digest(r, NULL), STATUS_OK);
    free(digest);
    h5_close(r);
    assert_int_equal(h5_commit_once(put_large(path), &e), STATUS_OK);
    struct h5_writer *other = put_large(path);
    h5_put_attr_int(other, "/", "epoch", 1);
    assert_int_equal(h5_commit_once(other, &e), STATUS_DIFFERS);
}

static long files_beside(const char *folder, const char *name) {
    long n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *f; d && (f = readdir(d));)
        n += strncmp(f->d_name, name, strlen(name)) == 0 && strcmp(f->d_name, name) != 0;
    if (d) closedir(d);
    return n;
}

/* The disk ends at every place of a file in turn. */
static void a_full_disk_anywhere_costs_one_sentence(void **folder) {
    char path[FIXTURE_TEXT];
    struct rlimit whole, less;
    struct error e = {0};
    path_in(path, folder, "full.h5");
    write_example(path, 3.0);
    long size = length_of_file(path);
    assert_int_equal(h5_commit(put_large(path), true, &e), STATUS_OK);
    long large = length_of_file(path);
    write_example(path, 3.0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &whole), 0);
    signal(SIGXFSZ, SIG_IGN);
    for (long most = 0; most < large; most += most < size ? 97 : (large - most + 27) / 28) {
        e = (struct error){0};
        less = whole;
        less.rlim_cur = (rlim_t)most;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &less), 0);
        int status = h5_commit(put_large(path), true, &e);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &whole), 0);
        assert_int_equal(status, STATUS_FAILED);
        assert_non_null(strstr(e.text, "full.h5: cannot write it: File too large"));
        assert_int_equal(length_of_file(path), size);
        assert_int_equal(files_beside(*folder, "full.h5"), 0);
    }
    signal(SIGXFSZ, SIG_DFL);
    h5_close(open_example(path));
    assert_int_equal(h5_commit(put_large(path), true, &e), STATUS_OK);
    assert_int_equal(length_of_file(path), large);
}

static void what_is_no_hdf5_file_is_refused_in_a_sentence(void **folder) {
    char path[FIXTURE_TEXT];
    struct h5_reader *r;
    struct error e = {0};
    path_in(path, folder, "text.h5");
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("hello, this is no HDF5 file at all, only a line of text\n", f);
    fclose(f);
    assert_int_equal(h5_open(&r, path, &e), STATUS_FAILED);
    assert_non_null(strstr(e.text, "not an HDF5 file"));
    assert_null(r);
    path_in(path, folder, "absent.h5");
    assert_int_equal(h5_open(&r, path, &e), STATUS_FAILED);
    assert_non_null(strstr(e.text, "cannot read it: No such file"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_got_back),
        cmocka_unit_test(equal_content_gives_equal_bytes_and_one_digest),
        cmocka_unit_test(any_flipped_bit_is_found_before_the_library_reads),
        cmocka_unit_test(a_file_cut_anywhere_is_not_trusted),
        cmocka_unit_test(a_file_that_cannot_be_written_leaves_the_old_one),
        cmocka_unit_test(the_digest_of_large_content_is_what_it_was),
        cmocka_unit_test(a_full_disk_anywhere_costs_one_sentence),
        cmocka_unit_test(what_is_no_hdf5_file_is_refused_in_a_sentence),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
