/* Saving and loading states: see state.h. A state is trusted only when its content digest, its
 * key and every shape agree; whoever asked then trains from an earlier one. */
#include "sim/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/h5.h"

enum { PATH_TEXT = 4096 };

/* One arena (params, a slot) or the buffers, tensor by tensor, under a group. */
struct arena {
    const char *group;
    const struct net_tensor *table;
    size_t n;
    real *data;
};

static size_t arenas_of(const struct state *s, struct arena arenas[2 + OPTIMIZER_SLOTS]) {
    size_t n = 0, params, buffers;
    const struct net_tensor *table = net_param_table(s->net, &params);
    arenas[n++] = (struct arena){"params", table, params, net_params(s->net)};
    const struct net_tensor *kept = net_buffer_table(s->net, &buffers);
    arenas[n++] = (struct arena){"buffers", kept, buffers, net_buffers(s->net)};
    for (size_t i = 0; i < s->optimizer->slots; i++)
        arenas[n++] = (struct arena){s->optimizer->slot_names[i], table, params, s->slots[i]};
    return n;
}

static void name_of(char path[PATH_TEXT], const struct arena *a, size_t which, size_t tensor) {
    const char *parent = which < 2 ? "" : "optimizer/";
    snprintf(path, PATH_TEXT, "%s%s/%s", parent, a->group, a->table[tensor].name);
}

/* Rows of a tensor that lies in another order here than in the file pass through this. */
struct staging {
    real *rows;
    size_t count;
};

enum { STAGED = 1 << 16 };

static size_t row_of(const struct net_tensor *t) {
    return t->count / t->shape[0];
}

static struct staging staging(const struct state *s) {
    size_t n;
    const struct net_tensor *t = net_param_table(s->net, &n);
    struct staging is = {NULL, STAGED};
    for (size_t i = 0; i < n; i++)
        if (t[i].packed && row_of(&t[i]) > is.count) is.count = row_of(&t[i]);
    is.rows = malloc(is.count * sizeof(real));
    return is;
}

/* The row behind those that begin with `first` and are staged at a time. */
static size_t staged_until(const struct staging *s, const struct net_tensor *t, size_t first) {
    size_t last = first + s->count / row_of(t);
    return last < t->shape[0] ? last : t->shape[0];
}

static int check_key(struct h5_reader *r, const char *key, struct error *e) {
    char *stored = h5_attr_text(r, "/", "prefix_key");
    bool same = stored && !strcmp(stored, key);
    free(stored);
    return same ? STATUS_OK : error_set(e, STATUS_FAILED, "its key is not the one asked for");
}

/* Is the file there another key's, put under this name by hand? */
static bool is_misplaced(const char *path, const char *key) {
    struct h5_reader *r;
    if (h5_open_sealed(&r, path, NULL)) return false;
    bool other = check_key(r, key, NULL) != STATUS_OK;
    h5_close(r);
    return other;
}

static void save_tensor(const struct state *s, struct h5_writer *w, const char *name,
                        const struct net_tensor *t, const real *arena, const struct staging *out) {
    h5_put_tensor(w, name, t->packed ? NULL : arena + t->offset, sizeof(real), (size_t)t->rank,
                  t->shape, NULL);
    for (size_t o = 0, last; t->packed && o < t->shape[0]; o = last) {
        last = staged_until(out, t, o);
        net_export_rows(s->net, t, o, last, arena, out->rows);
        h5_put_rows(w, name, o, last, out->rows, sizeof(real));
    }
}

int state_save(const struct state *s, const char *path, const char *key, bool kept,
               struct error *e) {
    char name[PATH_TEXT];
    struct arena arenas[2 + OPTIMIZER_SLOTS];
    size_t n = arenas_of(s, arenas);
    struct staging out = staging(s);
    if (!out.rows) return error_set(e, STATUS_FAILED, "out of memory for a state");
    struct h5_writer *w = h5_create(path);
    for (size_t a = 0; a < n; a++)
        for (size_t i = 0; i < arenas[a].n; i++) {
            name_of(name, &arenas[a], a, i);
            save_tensor(s, w, name, &arenas[a].table[i], arenas[a].data, &out);
        }
    free(out.rows);
    h5_put_attr_text(w, "/", "prefix_key", key);
    h5_put_attr_text(w, "/", "optimizer", s->optimizer->name);
    h5_put_attr_int(w, "/", "optimizer_steps", s->steps);
    h5_put_attr_int(w, "/", "epoch", s->epoch);
    return kept && !is_misplaced(path, key) ? h5_commit_once(w, e) : h5_commit(w, kept, e);
}

static int load_tensor(const struct state *s, struct h5_reader *r, const char *name,
                       const struct net_tensor *t, real *arena, const struct staging *in,
                       struct error *e) {
    size_t shape[H5_RANK], element;
    bool fits = h5_shape(r, name, shape) == t->rank && h5_kind(r, name, &element) == H5_FLOATS &&
                element == sizeof(real);
    for (int i = 0; fits && i < t->rank; i++) fits = shape[i] == t->shape[i];
    if (!fits) return error_set(e, STATUS_FAILED, "'%s' is missing or has another shape", name);
    if (!t->packed) return h5_get_raw(r, name, sizeof(real), arena + t->offset, e);
    int status = STATUS_OK;
    for (size_t o = 0, last; !status && o < t->shape[0]; o = last) {
        last = staged_until(in, t, o);
        status = h5_get_rows(r, name, o, last, in->rows, e);
        if (!status) net_import_rows(s->net, t, o, last, arena, in->rows);
    }
    return status;
}

static int load_all(struct state *s, struct h5_reader *r, struct error *e) {
    char name[PATH_TEXT];
    struct arena arenas[2 + OPTIMIZER_SLOTS];
    size_t n = arenas_of(s, arenas);
    struct staging in = staging(s);
    int status = in.rows ? STATUS_OK : error_set(e, STATUS_FAILED, "out of memory for a state");
    for (size_t a = 0; a < n && !status; a++)
        for (size_t i = 0; i < arenas[a].n && !status; i++) {
            name_of(name, &arenas[a], a, i);
            status = load_tensor(s, r, name, &arenas[a].table[i], arenas[a].data, &in, e);
        }
    free(in.rows);
    return status;
}

int state_load(struct state *s, const char *path, const char *key, struct error *e) {
    struct h5_reader *r;
    int status = h5_open_sealed(&r, path, e);
    if (status) return status;
    status = h5_check_digest(r, e);
    if (!status) status = check_key(r, key, e);
    if (!status) status = load_all(s, r, e);
    s->steps = h5_attr_int(r, "/", "optimizer_steps", 0);
    s->epoch = h5_attr_int(r, "/", "epoch", 0);
    h5_close(r);
    if (status) error_prefix(e, "%s", path);
    return status;
}
