/* Where every tensor of a graph lies: see graph.h.
 *
 * Activations are all kept for the backward pass, except that a view or an op that works in place
 * shares its input's memory. Gradients live from the last reader of their activation (the first in
 * backward order) to its producer; they are placed by first fit over these lifetimes, so that a
 * chain of any depth needs about two at a time. Where an activation has several readers, each but
 * the first writes a share of its own that is added at once.
 *
 * The trap: a halo is zeroed once and must stay zero, so activations never share memory with
 * others than their views. Gradients have no halo and may. */
#include "nets/graph.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nets/arch.h"

enum { LINE = 64, HUGE_PAGE = 2 << 20, SLACK = 4096 };

static struct tensor tensor_of(const struct value *v, size_t halo) {
    struct tensor t = {.H = v->H, .W = v->W, .C = v->C, .halo = halo};
    t.row = (v->W + 2 * halo) * v->C;
    t.image = (v->H + 2 * halo) * t.row;
    return t;
}

static size_t tensor_reals(const struct graph *g, const struct tensor *t) {
    return (t->image * g->batch + 15) / 16 * 16;
}

/* Which activations and gradients share memory, and the halo each needs. From the last op to the
 * first, so that what a value's readers need is known when its producer is reached. */
static void share(struct graph *g) {
    for (size_t i = g->ops_n; i-- > 0;) {
        const struct op *op = &g->ops[i];
        struct value *x = &g->values[op->in[0]], *y = &g->values[op->out];
        if (x->halo < op->conv.pad) x->halo = op->conv.pad;
        bool alone = x->consumers == 1;
        bool view = op->type->view && y->halo == 0;
        if (alone && (view || op->type->in_place_backward)) x->grad_in = y->grad_in;
        bool spare = x->producer >= 0 && !g->ops[x->producer].type->view;
        bool over = op->type->in_place && spare && !x->kept;
        if (alone && (view || over)) {
            x->halo = y->halo;
            x->stored_in = y->stored_in;
        }
    }
}

/* Offsets of the activations, one after the other; returns the reals they take. Shared memory is
 * named by the last value of a chain in place, which has the chain's halo. */
static size_t place_activations(struct graph *g, size_t *offsets) {
    size_t total = 0;
    for (size_t v = 0; v < g->values_n; v++) {
        struct value *value = &g->values[v];
        value->x = tensor_of(value, value->halo);
        if (value->stored_in != (int)v) continue;
        offsets[v] = total;
        total += tensor_reals(g, &value->x);
    }
    return total;
}

/* A stretch of the gradient arena in use while the backward pass is at ops [first, last]. */
struct stretch {
    size_t reals, offset;
    int first, last;
};

/* The lowest offset where `s` overlaps no placed stretch of the same time. */
static size_t first_fit(const struct stretch *placed, size_t n, const struct stretch *s) {
    size_t offset = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = 0; i < n; i++) {
            const struct stretch *p = &placed[i];
            bool same_time = p->first <= s->last && s->first <= p->last;
            bool same_place = p->offset < offset + s->reals && offset < p->offset + p->reals;
            if (!same_time || !same_place) continue;
            offset = p->offset + p->reals;
            moved = true;
        }
    }
    return offset;
}

struct plan {
    struct stretch *stretches;
    size_t n, reals;
};

static size_t plan_add(struct plan *plan, struct stretch s) {
    s.offset = first_fit(plan->stretches, plan->n, &s);
    plan->stretches[plan->n++] = s;
    if (plan->reals < s.offset + s.reals) plan->reals = s.offset + s.reals;
    return s.offset;
}

/* The logits of an auxiliary head, whose gradient stays until the next forward pass. */
static bool is_head(const struct graph *g, int value) {
    for (size_t m = 0; m < g->inputs_n; m++)
        if (g->head[m] == value) return true;
    return false;
}

/* The gradient of value v and of all that share its memory. */
static struct stretch lifetime(const struct graph *g, size_t v) {
    struct stretch s = {.first = (int)g->ops_n, .last = -1};
    for (size_t u = 0; u < g->values_n; u++) {
        const struct value *value = &g->values[u];
        if (value->grad_in != (int)v || !value->wants_grad) continue;
        bool head = is_head(g, (int)u);
        int first = head ? 0 : value->producer;
        int last = head || (int)u == g->output ? (int)g->ops_n : value->last;
        if (s.last < last) s.last = last;
        if (s.first > first) s.first = first;
        s.reals = tensor_reals(g, &value->dx);
    }
    return s;
}

/* Offsets of the values' gradients and of the shares [op][input]; the reals they take. */
static size_t place_gradients(struct graph *g, size_t *offsets, size_t *shares) {
    struct plan plan = {calloc(g->values_n + OP_INPUTS * g->ops_n, sizeof *plan.stretches), 0, 0};
    bool *written = calloc(g->values_n + 1, sizeof *written);
    if (!plan.stretches || !written) abort();
    for (size_t v = g->values_n; v-- > 0;) {
        struct value *value = &g->values[v];
        value->dx = tensor_of(value, 0);
    }
    for (size_t v = g->values_n; v-- > 0;)
        if (g->values[v].grad_in == (int)v && g->values[v].wants_grad)
            offsets[v] = plan_add(&plan, lifetime(g, v));
    for (size_t i = g->ops_n; i-- > 0;)
        for (int j = 0; j < g->ops[i].type->inputs; j++) {
            int v = g->ops[i].in[j];
            if (!g->values[v].wants_grad) continue;
            g->ops[i].dx_adds[j] = written[v];
            if (written[v])
                shares[i * OP_INPUTS + (size_t)j] = plan_add(
                    &plan, (struct stretch){tensor_reals(g, &g->values[v].dx), 0, (int)i, (int)i});
            written[v] = true;
        }
    free(plan.stretches);
    free(written);
    return plan.reals;
}

static void set_tensors(struct graph *g, const size_t *activations, const size_t *gradients,
                        const size_t *shares) {
    real *x = g->activations.data, *dx = g->gradients.data;
    for (size_t v = 0; v < g->values_n; v++) {
        struct value *value = &g->values[v];
        value->x.data = x + activations[value->stored_in];
        value->dx.data = value->wants_grad ? dx + gradients[value->grad_in] : NULL;
    }
    for (size_t i = 0; i < g->ops_n; i++) {
        struct op *op = &g->ops[i];
        op->y = g->values[op->out].x;
        op->dy = g->values[op->out].dx;
        for (int j = 0; j < op->type->inputs; j++) {
            op->x[j] = g->values[op->in[j]].x;
            op->dx[j] = g->values[op->in[j]].dx;
            if (op->dx_adds[j]) op->dx[j].data = dx + shares[i * OP_INPUTS + (size_t)j];
        }
    }
}

/* Ops see shapes (data NULL) when asked for their scratch. */
static size_t scratch_bytes(struct graph *g) {
    size_t most = 0;
    for (size_t i = 0; i < g->ops_n; i++) {
        struct op *op = &g->ops[i];
        op->y = g->values[op->out].x;
        for (int j = 0; j < op->type->inputs; j++) op->x[j] = g->values[op->in[j]].x;
        size_t bytes = op->type->scratch ? op->type->scratch(op, g->batch, g->threads) : 0;
        if (most < bytes) most = bytes;
    }
    return most;
}

static int arena_get(struct arena *a, size_t bytes) {
    size_t align = bytes < HUGE_PAGE ? LINE : HUGE_PAGE;
    a->bytes = (bytes + SLACK + align - 1) / align * align;
    a->data = aligned_alloc(align, a->bytes);
    if (!a->data) return STATUS_FAILED;
#ifdef MADV_HUGEPAGE
    if (align == HUGE_PAGE) madvise(a->data, a->bytes, MADV_HUGEPAGE); /* only a hint */
#endif
    memset(a->data, 0, a->bytes);
    return STATUS_OK;
}

static int arenas_get(struct graph *g, size_t activations, size_t gradients, struct error *e) {
    struct {
        struct arena *arena;
        size_t bytes;
    } want[] = {{&g->params_arena, g->params_count * sizeof(real)},
                {&g->grads_arena, g->params_count * sizeof(real)},
                {&g->buffers_arena, g->buffers_count * sizeof(real)},
                {&g->states_arena, g->states_count * sizeof(real)},
                {&g->activations, activations * sizeof(real)},
                {&g->gradients, gradients * sizeof(real)},
                {&g->scratch, scratch_bytes(g)}};
    const double GiB = 0x1p30;
    double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE), bytes = 0;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) bytes += (double)want[i].bytes;
    if (bytes > memory)
        return error_set(e, STATUS_USAGE,
                         "net %s: needs %.3g GiB for a batch of %zu, this machine has %.3g GiB; "
                         "make the network or the batch smaller",
                         g->arch->name, bytes / GiB, g->batch, memory / GiB);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        if (arena_get(want[i].arena, want[i].bytes))
            return error_set(e, STATUS_FAILED,
                             "net %s: no memory for %.3g GiB; make the network or the batch "
                             "smaller, or run fewer at a time",
                             g->arch->name, bytes / GiB);
    return STATUS_OK;
}

/* Not arenas: memory that is never written costs nothing. */
static int asides_get(struct graph *g, struct error *e) {
    size_t bytes = 0, reals = 0;
    for (size_t i = 0; i < g->ops_n; i++) {
        struct op *op = &g->ops[i];
        op->switches = bytes;
        op->kept = reals;
        bytes += op_bytes(g->batch * op->y.H * op->y.W * op->y.C, op->type->switch_bytes);
        reals += op->type->kept ? g->batch * op->type->kept(op) : 0;
    }
    g->switches = calloc(bytes + 1, 1);
    g->kept = calloc(reals + 1, sizeof *g->kept);
    if (g->switches && g->kept) return STATUS_OK;
    return error_set(e, STATUS_FAILED, "net %s: no memory", g->arch->name);
}

int graph_allocate(struct graph *g, struct error *e) {
    size_t *offsets = calloc(2 * g->values_n + OP_INPUTS * g->ops_n, sizeof *offsets);
    if (!offsets) abort();
    size_t *gradients = offsets + g->values_n, *shares = gradients + g->values_n;
    share(g);
    size_t activations_n = place_activations(g, offsets);
    size_t gradients_n = place_gradients(g, gradients, shares);
    int status = arenas_get(g, activations_n, gradients_n, e);
    if (!status) set_tensors(g, offsets, gradients, shares);
    if (!status) status = asides_get(g, e);
    if (!status) g->team = team_create(g->threads);
    free(offsets);
    return status;
}

void graph_free(struct graph *g) {
    struct arena *arenas[] = {&g->params_arena, &g->grads_arena, &g->buffers_arena,
                              &g->states_arena, &g->activations, &g->gradients,
                              &g->scratch};
    team_free(g->team);
    for (size_t i = 0; i < sizeof arenas / sizeof *arenas; i++) free(arenas[i]->data);
    for (size_t i = 0; i < g->layers_n; i++) free(g->layers[i]);
    for (size_t i = 0; i <= NET_INPUTS; i++) free(g->names[i]);
    for (size_t m = 0; m < NET_INPUTS; m++) free(g->correlation[m]);
    settings_free(&g->settings);
    free(g->switches);
    free(g->kept);
    free(g->layers);
    free(g->layers_op);
    free(g->values);
    free(g->ops);
    free(g->params);
    free(g->buffers);
    free(g->params_init);
    free(g->buffers_start);
    free(g->params_op);
}
