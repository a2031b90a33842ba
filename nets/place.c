/* Where every tensor of a graph lies: see graph.h.
 *
 * What the backward pass reads is kept for it, but for what an op can make again from what it keeps
 * (a normalization: from its input) for readers that ask for it a piece at a time (Chen et al. 2016,
 * arXiv 1604.06174, with cheap ops alone). Views and what works in place share their input's memory.
 * Gradients live from the last reader of their activation (the first in backward order) to its
 * producer. Where an activation has several readers, each but the first writes a share of its own
 * that is added at once.
 *
 * All that is not kept lies in one workspace: the largest first, each as low as it fits among those
 * that live at the same time (Pisarchyk and Lee 2020, arXiv 2001.03288). So a chain of any depth
 * needs about two of its largest tensors. */
#include "nets/graph.h"

#include <assert.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nets/arch.h"

enum { LINE = 64, HUGE_PAGE = 2 << 20, SLACK = 4096 };

static struct tensor tensor_of(const struct value *v) {
    return (struct tensor){
        .H = v->H, .W = v->W, .C = v->C, .row = v->W * v->C, .image = v->H * v->W * v->C};
}

static size_t tensor_reals(const struct graph *g, const struct tensor *t) {
    return (t->image * g->batch + 15) / 16 * 16;
}

/* Which activations and gradients share memory. From the last op to the first, so that what a value's
 * readers need is known when its producer is reached. */
static void share(struct graph *g) {
    for (size_t i = g->ops_n; i-- > 0;) {
        const struct op *op = &g->ops[i];
        struct value *x = &g->values[op->in[0]], *y = &g->values[op->out];
        bool alone = x->consumers == 1;
        bool back_over = op->type->in_place_backward || op->dx_over_dy;
        if (alone && (op->type->view || back_over)) x->grad_in = y->grad_in;
        bool spare = x->producer >= 0 && !g->ops[x->producer].type->view;
        bool over = op->type->in_place && spare && !x->kept;
        if (alone && (op->type->view || over)) x->stored_in = y->stored_in;
    }
}

/* Times of a training step, [first, last]: forward, an op's time is its index; then comes the loss,
 * and backward the ops in reverse. */
struct span {
    int first, last;
};

static int loss_time(const struct graph *g) {
    return (int)g->ops_n;
}

static int backward_time(const struct graph *g, int op) {
    return 2 * (int)g->ops_n - op;
}

static void extend(struct span *s, int first, int last) {
    if (s->first > first) s->first = first;
    if (s->last < last) s->last = last;
}

/* A part of the workspace, and when it is in use. */
struct stretch {
    size_t reals, *offset;
    struct span span;
};

struct plan {
    struct stretch *stretches;
    size_t n;
};

static void plan_add(struct plan *plan, struct stretch s) {
    plan->stretches[plan->n++] = s;
}

/* The lowest offset where `s` overlaps none of the n placed that live at the same time. */
static size_t first_fit(const struct stretch *placed, size_t n, const struct stretch *s) {
    size_t offset = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = 0; i < n; i++) {
            const struct stretch *p = &placed[i];
            bool same_time = p->span.first <= s->span.last && s->span.first <= p->span.last;
            bool same_place = *p->offset < offset + s->reals && offset < *p->offset + p->reals;
            if (!same_time || !same_place) continue;
            offset = *p->offset + p->reals;
            moved = true;
        }
    }
    return offset;
}

static int by_size(const void *a, const void *b) {
    const struct stretch *p = a, *q = b;
    if (p->reals != q->reals) return p->reals > q->reals ? -1 : 1;
    return p->offset < q->offset ? -1 : p->offset > q->offset;
}

/* Every offset; returns the reals they take. */
static size_t plan_solve(struct plan *plan) {
    size_t reals = 0;
    qsort(plan->stretches, plan->n, sizeof *plan->stretches, by_size);
    for (size_t i = 0; i < plan->n; i++) {
        struct stretch *s = &plan->stretches[i];
        *s->offset = first_fit(plan->stretches, i, s);
        if (reals < *s->offset + s->reals) reals = *s->offset + s->reals;
    }
    return reals;
}

/* The logits of an auxiliary head, whose gradient stays until the next forward pass. */
static bool is_head(const struct graph *g, int value) {
    for (size_t m = 0; m < g->inputs_n; m++)
        if (g->head[m] == value) return true;
    return false;
}

/* Somebody may read it at any time after the forward pass, or the forward pass does not make it. */
static bool is_public(const struct graph *g, int v) {
    const struct value *value = &g->values[v];
    return value->producer < 0 || value->kept || v == g->output || v == graph_representation(g) ||
           is_head(g, v);
}

/* The activation v and all that share its memory: when the forward pass needs it. */
static struct span needed(const struct graph *g, int v) {
    struct span s = {INT_MAX, -1};
    for (size_t u = 0; u < g->values_n; u++)
        if (g->values[u].stored_in == v) extend(&s, g->values[u].producer, g->values[u].last);
    return s;
}

/* Whether the backward pass must find the activation v where it is. */
static bool must_stay(const struct graph *g, int v) {
    bool read = false, in_pieces = true, alone = true;
    for (int u = 0; u < (int)g->values_n; u++) {
        if (g->values[u].stored_in != v) continue;
        if (is_public(g, u)) return true;
        alone &= u == v;
    }
    for (size_t i = 0; i < g->ops_n; i++) {
        const struct op *op = &g->ops[i];
        if (op->type->reads_y == READS && g->values[op->out].stored_in == v) return true;
        for (int j = 0; j < op->type->inputs; j++) {
            if (g->values[op->in[j]].stored_in != v) continue;
            read |= op->type->reads_x != READS_NOT;
            in_pieces &= op->type->reads_x != READS;
        }
    }
    return read && !(in_pieces && alone && g->ops[g->values[v].producer].type->remake);
}

/* The reals of what is kept, one after the other; the others go into the plan. Shared memory is
 * named by the last value of a chain in place. */
static size_t place_activations(struct graph *g, struct plan *plan, size_t *offsets) {
    size_t total = 0;
    for (size_t v = 0; v < g->values_n; v++) {
        struct value *value = &g->values[v];
        value->x = tensor_of(value);
        if (value->stored_in != (int)v) continue;
        size_t reals = tensor_reals(g, &value->x);
        value->passing = !must_stay(g, (int)v);
        if (value->passing) {
            plan_add(plan, (struct stretch){reals, &offsets[v], needed(g, (int)v)});
            continue;
        }
        offsets[v] = total;
        total += reals;
    }
    return total;
}

/* Who makes what is read again. */
static void set_makers(struct graph *g) {
    for (size_t i = 0; i < g->ops_n; i++) {
        struct op *op = &g->ops[i];
        const struct value *x = &g->values[op->in[0]];
        if (op->type->reads_x == READS_PIECES && g->values[x->stored_in].passing)
            op->maker = &g->ops[x->producer];
    }
}

/* The gradient of value v and of all that share its memory. */
static struct span lifetime(const struct graph *g, size_t v) {
    struct span s = {INT_MAX, -1};
    for (size_t u = 0; u < g->values_n; u++) {
        const struct value *value = &g->values[u];
        if (value->grad_in != (int)v || !value->wants_grad) continue;
        bool head = is_head(g, (int)u);
        extend(&s, head || (int)u == g->output ? loss_time(g) : backward_time(g, value->last),
               backward_time(g, head ? 0 : value->producer));
    }
    return s;
}

/* The values' gradients and the shares [op][input]. */
static void place_gradients(struct graph *g, struct plan *plan, size_t *offsets, size_t *shares) {
    bool *written = calloc(g->values_n + 1, sizeof *written);
    if (!written) abort();
    for (size_t v = 0; v < g->values_n; v++) {
        struct value *value = &g->values[v];
        value->dx = tensor_of(value);
        if (value->grad_in == (int)v && value->wants_grad)
            plan_add(plan,
                     (struct stretch){tensor_reals(g, &value->dx), &offsets[v], lifetime(g, v)});
    }
    for (size_t i = g->ops_n; i-- > 0;)
        for (int j = 0; j < g->ops[i].type->inputs; j++) {
            int v = g->ops[i].in[j];
            struct span now = {backward_time(g, (int)i), backward_time(g, (int)i)};
            if (!g->values[v].wants_grad) continue;
            g->ops[i].dx_adds[j] = written[v];
            if (written[v])
                plan_add(plan, (struct stretch){tensor_reals(g, &g->values[v].dx),
                                                &shares[i * OP_INPUTS + (size_t)j], now});
            written[v] = true;
        }
    free(written);
}

static void set_tensors(struct graph *g, const size_t *activations, const size_t *gradients,
                        const size_t *shares) {
    real *kept = g->activations.data, *work = g->workspace.data;
    for (size_t v = 0; v < g->values_n; v++) {
        struct value *value = &g->values[v];
        value->passing = g->values[value->stored_in].passing;
        value->x.data = (value->passing ? work : kept) + activations[value->stored_in];
        value->dx.data = value->wants_grad ? work + gradients[value->grad_in] : NULL;
    }
    for (size_t i = 0; i < g->ops_n; i++) {
        struct op *op = &g->ops[i];
        op->y = g->values[op->out].x;
        op->dy = g->values[op->out].dx;
        for (int j = 0; j < op->type->inputs; j++) {
            op->x[j] = g->values[op->in[j]].x;
            op->dx[j] = g->values[op->in[j]].dx;
            if (op->dx_adds[j]) op->dx[j].data = work + shares[i * OP_INPUTS + (size_t)j];
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
    a->bytes = (bytes + SLACK + LINE - 1) / LINE * LINE;
    a->block = calloc(1, a->bytes + align); /* not memset, which would touch every page */
    if (!a->block) return STATUS_FAILED;
    a->data = (char *)a->block + (align - (uintptr_t)a->block % align) % align;
#ifdef MADV_HUGEPAGE
    if (align == HUGE_PAGE) /* only a hint, and for whole pages alone: half a one costs all of it */
        madvise(a->data, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
    return STATUS_OK;
}

/* The gradients of an op that does not hand them on itself, or a row on its way into a tensor. */
static size_t reals_of_op(const struct graph *g) {
    size_t most = 0;
    for (size_t i = 0; i < g->params_n; i++) {
        const struct net_tensor *t = &g->params[i];
        const struct op *op = &g->ops[g->params_op[i]];
        size_t n =
            op->type->backward_take ? t->count / t->shape[0] : t->offset + t->count - op->param[0];
        if (most < n) most = n;
    }
    return most;
}

static int arenas_get(struct graph *g, size_t activations, size_t workspace, struct error *e) {
    struct {
        struct arena *arena;
        size_t bytes;
    } want[] = {{&g->params_arena, g->params_count * sizeof(real)},
                {&g->grads_arena, g->params_count * sizeof(real)},
                {&g->buffers_arena, g->buffers_count * sizeof(real)},
                {&g->states_arena, g->states_count * sizeof(real)},
                {&g->activations, activations * sizeof(real)},
                {&g->workspace, workspace * sizeof(real)},
                {&g->op_arena, reals_of_op(g) * sizeof(real)},
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
    struct plan plan = {calloc(2 * g->values_n + OP_INPUTS * g->ops_n, sizeof *plan.stretches), 0};
    if (!plan.stretches) abort();
    share(g);
    size_t activations_n = place_activations(g, &plan, offsets);
    set_makers(g);
    place_gradients(g, &plan, gradients, shares);
    int status = arenas_get(g, activations_n, plan_solve(&plan), e);
    if (!status) set_tensors(g, offsets, gradients, shares);
    if (!status) status = asides_get(g, e);
    if (!status) g->team = team_create(g->threads);
    free(plan.stretches);
    free(offsets);
    return status;
}

void graph_free(struct graph *g) {
    struct arena *arenas[] = {&g->params_arena, &g->grads_arena, &g->buffers_arena,
                              &g->states_arena, &g->activations, &g->workspace,
                              &g->op_arena,     &g->scratch};
    team_free(g->team);
    for (size_t i = 0; i < sizeof arenas / sizeof *arenas; i++) free(arenas[i]->block);
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
