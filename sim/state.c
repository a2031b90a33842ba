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

/* For tensors that lie in another order here than in the file. */
static real *staging(const struct state *s) {
    size_t largest = 1, n;
    struct arena arenas[2 + OPTIMIZER_SLOTS];
    n = arenas_of(s, arenas);
    for (size_t a = 0; a < n; a++)
        for (size_t i = 0; i < arenas[a].n; i++)
            if (arenas[a].table[i].packed && arenas[a].table[i].count > largest)
                largest = arenas[a].table[i].count;
    return malloc(largest * sizeof(real));
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

int state_save(const struct state *s, const char *path, const char *key, bool kept,
               struct error *e) {
    char name[PATH_TEXT];
    struct arena arenas[2 + OPTIMIZER_SLOTS];
    size_t n = arenas_of(s, arenas);
    real *out = staging(s);
    if (!out) return error_set(e, STATUS_FAILED, "out of memory for a state");
    struct h5_writer *w = h5_create(path);
    for (size_t a = 0; a < n; a++)
        for (size_t i = 0; i < arenas[a].n; i++) {
            const struct net_tensor *t = &arenas[a].table[i];
            if (t->packed) net_export(s->net, t, arenas[a].data, out);
            name_of(name, &arenas[a], a, i);
            h5_put_tensor(w, name, t->packed ? out : arenas[a].data + t->offset, sizeof(real),
                          (size_t)t->rank, t->shape, NULL);
        }
    free(out);
    h5_put_attr_text(w, "/", "prefix_key", key);
    h5_put_attr_text(w, "/", "optimizer", s->optimizer->name);
    h5_put_attr_int(w, "/", "optimizer_steps", s->steps);
    h5_put_attr_int(w, "/", "epoch", s->epoch);
    return kept && !is_misplaced(path, key) ? h5_commit_once(w, e) : h5_commit(w, kept, e);
}

static int load_tensor(const struct state *s, struct h5_reader *r, const char *name,
                       const struct net_tensor *t, real *arena, real *in, struct error *e) {
    size_t shape[H5_RANK], element;
    bool fits = h5_shape(r, name, shape) == t->rank && h5_kind(r, name, &element) == H5_FLOATS &&
                element == sizeof(real);
    for (int i = 0; fits && i < t->rank; i++) fits = shape[i] == t->shape[i];
    if (!fits) return error_set(e, STATUS_FAILED, "'%s' is missing or has another shape", name);
    int status = h5_get_raw(r, name, sizeof(real), t->packed ? in : arena + t->offset, e);
    if (!status && t->packed) net_import(s->net, t, arena, in);
    return status;
}

static int load_all(struct state *s, struct h5_reader *r, struct error *e) {
    char name[PATH_TEXT];
    struct arena arenas[2 + OPTIMIZER_SLOTS];
    size_t n = arenas_of(s, arenas);
    real *in = staging(s);
    int status = in ? STATUS_OK : error_set(e, STATUS_FAILED, "out of memory for a state");
    for (size_t a = 0; a < n && !status; a++)
        for (size_t i = 0; i < arenas[a].n && !status; i++) {
            name_of(name, &arenas[a], a, i);
            status = load_tensor(s, r, name, &arenas[a].table[i], arenas[a].data, in, e);
        }
    free(in);
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
