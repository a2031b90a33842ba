/* Deep linear networks, where the training of the whole engine has an answer on paper (Kleinman,
 * Achille, Soatto 2024; Saxe, McClelland, Ganguli 2014): configs go the whole way to logs, and these are
 * compared with recursions, with ordinary differential equations and with closed forms.
 *
 * Tolerances: gradient descent in double agrees with its own recursion to rounding that grows with the
 * steps, 1e-9; in float to 1e-3 of s. Gradient descent and the equations differ by the size of a step:
 * rate times the largest growth rate, 2 D (s/2)^(2-2/D) of a pathway that holds half of s. */
#include "analysis/measures/fisher_trace.h"
#include "base/lowrank.h"
#include "nets/loss.h"
#include "nets/svd.h"
#include "sim/check.h"
#include "tests/run_fixture.h"
#include "tests/net_fixture.h"

#ifdef REAL_IS_DOUBLE
static const double STEPS_TOLERANCE = 1e-9;
#else
static const double STEPS_TOLERANCE = 1e-3;
#endif

enum { MODES = 8, AXIS = 16, EPOCHS_MOST = 200 };

static const char two[] = "experiment: two\n"
                          "data: {set: hierarchy}\n"
                          "net: {arch: deeplinear, depth: 3, width: 12, init: balanced}\n"
                          "train:\n"
                          "  batch: 8\n"
                          "  passes: 10\n"
                          "  loss: {type: squared_error, mean: none}\n"
                          "  lr: {base: 0.01}\n"
                          "  epochs: {total: 100}\n"
                          "deficits: [{type: gate_path, modality: b, from: 0, until: 0}]\n"
                          "fisher: {probes: 0}\n"
                          "measures: [modes]\n";

static const char completion[] = "experiment: completion\n"
                                 "data: {set: completion, size: 20, rank: 2, observed: 200}\n"
                                 "net: {arch: deeplinear, depth: 1, width: 20, eps: 0.01}\n"
                                 "train:\n"
                                 "  batch: 20\n"
                                 "  passes: 50\n"
                                 "  loss: {type: squared_error, mean: entries}\n"
                                 "  lr: {base: 0.4}\n"
                                 "  epochs: {after_removal: 20}\n"
                                 "deficits: [{type: other_task, rank: 4, from: 0, until: 0}]\n"
                                 "eval: {deficit: false}\n"
                                 "final: {last: 1}\n"
                                 "fisher: {probes: 0}\n";

static struct trial trial_make(const char *folder, const char *yaml, const char *const *overrides) {
    struct trial t;
    struct error e = {0};
    if (trial_try(&t, folder, yaml, overrides, &e)) fail_msg("%s", e.text);
    if (check_data(&t.config, &t.data, &e) || check_net(&t.config, &t.data, &e))
        fail_msg("%s", e.text);
    return t;
}

/* Train in folder/name from what is there; returns the outcome. until 0: to the end. */
static struct run_outcome train(const struct trial *t, const char *folder, const char *name,
                                int64_t until) {
    char root[FIXTURE_TEXT];
    struct run_outcome out;
    struct error e = {0};
    snprintf(root, sizeof root, "%.3000s/%.100s", folder, name);
    struct run_options o = {
        .root = root, .from = root, .twin_id = "", .threads = 1, .until = until};
    if (run_execute(&t->config, &t->timeline, &t->data, &o, &out, &e)) fail_msg("%s", e.text);
    return out;
}

static void series_read(const char *log, const char *name, double *v, size_t n) {
    struct h5_reader *r;
    struct error e = {0};
    if (h5_open(&r, log, &e)) fail_msg("%s", e.text);
    assert_int_equal(length_of(r, name), n);
    if (h5_get_doubles(r, name, v, &e)) fail_msg("%s", e.text);
    h5_close(r);
}

/* ---- parts ----------------------------------------------------------------------------------- */

static void the_singular_vectors_give_the_matrix_back(void **folder) {
    const size_t sizes[][2] = {{1, 1}, {5, 3}, {3, 5}, {15, 8}, {20, 20}};
    (void)folder;
    for (size_t c = 0; c < 5; c++) {
        const size_t rows = sizes[c][0], cols = sizes[c][1];
        double A[400];
        struct svd s;
        struct rng r = rng_stream(c, "order", 0, 0);
        for (size_t i = 0; i < rows * cols; i++) A[i] = rng_normal(&r);
        assert_true(svd_create(&s, A, rows, cols));
        for (size_t i = 0; i < rows * cols; i++) {
            double sum = 0;
            for (size_t k = 0; k < s.n; k++)
                sum += s.u[i / cols * s.n + k] * s.s[k] * s.v[i % cols * s.n + k];
            assert_near(sum, A[i], 1e-13 * s.s[0]);
        }
        for (size_t k = 1; k < s.n; k++) assert_true(s.s[k] <= s.s[k - 1] && s.s[k] >= 0);
        svd_free(&s);
        A[0] = NAN;
        assert_false(svd_create(&s, A, rows, cols));
    }
}

static void squared_error_is_its_formula_and_leaves_out_what_is_unknown(void **folder) {
    static const char *const means[] = {"examples", "entries", "none"};
    const double divisor[] = {2, 5, 1};
    const real y[] = {1, 2, 3, 4, 5, 6}, t[] = {0, 2, (real)NAN, 6, 5, 5};
    const double off[] = {1, 0, 0, -2, 0, 1}, sum = (1 + 4 + 1) / 2.0;
    const int32_t labels[] = {-1, 2};
    const struct loss *loss = loss_find("squared_error");
    (void)folder;
    for (size_t i = 0; i < 3; i++) {
        struct settings s;
        double p[3];
        real dy[6];
        settings_init(&s, loss->params, NULL);
        settings_set(&s, "mean", means[i], NULL);
        struct loss_batch b = {2, 3, y, labels, t, p, dy};
        struct net_loss is = loss->evaluate(&s, &b);
        assert_near(is.loss, i == 1 ? sum / 5 * 2 : sum, 1e-6);
        for (size_t k = 0; k < 6; k++) assert_near((double)dy[k], off[k] / divisor[i], 1e-6);
        assert_int_equal(is.correct, 1);
        assert_true(isnan(is.entropy));
        settings_free(&s);
    }
}

static void a_random_matrix_has_its_rank_and_entries_of_size_1(void **folder) {
    struct lowrank m;
    struct svd s;
    double A[30 * 20], squares = 0;
    struct rng r = rng_stream(1, "order", 0, 0);
    (void)folder;
    lowrank_draw(&m, 30, 20, 3, &r);
    for (size_t i = 0; i < 600; i++) A[i] = lowrank_at(&m, i / 20, i % 20);
    for (size_t i = 0; i < 600; i++) squares += A[i] * A[i];
    assert_near(squares / 600, 1, 1e-12);
    assert_true(svd_create(&s, A, 30, 20));
    assert_true(s.s[2] > 0.1 && s.s[3] < 1e-12 * s.s[0]);
    svd_free(&s);
    lowrank_free(&m);
}

/* ---- two pathways ---------------------------------------------------------------------------- */

/* A run of two pathways: strengths [rows][pathway][mode]. */
struct paths {
    size_t rows;
    double s[AXIS], K[EPOCHS_MOST + 1][2][AXIS];
};

static void paths_run(struct paths *p, const char *folder, const char *const *overrides) {
    static int number;
    char name[32];
    struct trial t = trial_make(folder, two, overrides);
    snprintf(name, sizeof name, "paths%d", number++);
    struct run_outcome out = train(&t, folder, name, 0);
    p->rows = (size_t)t.timeline.total + 1;
    assert_true(p->rows <= EPOCHS_MOST + 1);
    double *a = malloc(3 * p->rows * AXIS * sizeof *a), *b = a + p->rows * AXIS;
    series_read(out.log, "mode_first", a, p->rows * AXIS);
    series_read(out.log, "mode_second", b, p->rows * AXIS);
    series_read(out.log, "mode_target", b + p->rows * AXIS, p->rows * AXIS);
    memcpy(p->s, b + p->rows * AXIS, sizeof p->s);
    for (size_t e = 0; e < p->rows; e++) {
        memcpy(p->K[e][0], a + e * AXIS, sizeof p->K[e][0]);
        memcpy(p->K[e][1], b + e * AXIS, sizeof p->K[e][1]);
    }
    free(a);
    trial_free(&t);
}

/* The overrides of a depth, a step and a gate: epochs [from, until) of `total`. */
struct gate {
    char text[8][64];
    const char *list[9];
};

static const char *const *gated(struct gate *g, int depth, int passes, double rate, int from,
                                int until, int total) {
    snprintf(g->text[0], sizeof g->text[0], "net.depth=%d", depth);
    snprintf(g->text[1], sizeof g->text[1], "train.passes=%d", passes);
    snprintf(g->text[2], sizeof g->text[2], "train.lr.base=%g", rate);
    snprintf(g->text[3], sizeof g->text[3], "deficits[0].until=%d", until);
    snprintf(g->text[4], sizeof g->text[4], "deficits[0].from=%d", from);
    snprintf(g->text[5], sizeof g->text[5], "train.epochs.total=%d", total);
    for (size_t i = 0; i < 6; i++) g->list[i] = g->text[i];
    g->list[6] = NULL;
    return g->list;
}

static void modes_of_the_hierarchy_are_known(void **folder) {
    static struct paths p;
    struct gate g = {0};
    const double s[] = {sqrt(15), sqrt(7), sqrt(3), sqrt(3), 1, 1, 1, 1};
    paths_run(&p, *folder, gated(&g, 2, 1, 0.01, 0, 0, 0));
    for (size_t k = 0; k < MODES; k++) {
        assert_near(p.s[k], s[k], 1e-12);
        for (size_t m = 0; m < 2; m++) assert_near(p.K[0][m][k], 0.01, 0.005);
    }
    for (size_t k = MODES; k < AXIS; k++) assert_true(isnan(p.s[k]) && isnan(p.K[0][0][k]));
    assert_true(fabs(p.K[0][0][0] - p.K[0][1][0]) > 1e-5); /* each has its own jitter */
}

/* dp/dt of both pathways. */
static void flow(int depth, double s, bool gate, const double p[2], double dp[2]) {
    double left = s - pow(p[0], depth) - pow(p[1], depth);
    dp[0] = pow(p[0], depth - 1) * left;
    dp[1] = gate ? 0 : pow(p[1], depth - 1) * left;
}

static void euler(int depth, double s, bool gate, double h, double p[2]) {
    double dp[2];
    flow(depth, s, gate, p, dp);
    for (size_t m = 0; m < 2; m++) p[m] += h * dp[m];
}

/* Runge and Kutta's classical step, of fourth order. */
static void runge_kutta(int depth, double s, bool gate, double h, double p[2]) {
    const double at[] = {0, h / 2, h / 2, h}, weight[] = {1, 2, 2, 1};
    double dp[2] = {0}, sum[2] = {0};
    for (size_t k = 0; k < 4; k++) {
        double x[] = {p[0] + at[k] * dp[0], p[1] + at[k] * dp[1]};
        flow(depth, s, gate, x, dp);
        for (size_t m = 0; m < 2; m++) sum[m] += weight[k] * dp[m];
    }
    for (size_t m = 0; m < 2; m++) p[m] += h / 6 * sum[m];
}

/* The largest distance of a run from an integration, by epochs of `steps` steps h, relative to s. */
static double distance(const struct paths *run, int depth, int from, int until, int steps, double h,
                       void (*step)(int, double, bool, double, double[2])) {
    double worst = 0;
    for (size_t k = 0; k < MODES; k++) {
        double p[2];
        for (size_t m = 0; m < 2; m++) p[m] = pow(run->K[0][m][k], 1.0 / depth);
        for (size_t e = 0; e < run->rows; e++) {
            for (size_t m = 0; m < 2; m++)
                worst = fmax(worst, fabs(pow(p[m], depth) - run->K[e][m][k]) / run->s[k]);
            for (int i = 0; i < steps; i++)
                step(depth, run->s[k], (int)e >= from && (int)e < until, h, p);
        }
    }
    return worst;
}

static void gradient_descent_is_its_own_recursion_for_every_mode(void **folder) {
    static struct paths p;
    struct gate g = {0};
    for (int depth = 1; depth <= 5; depth++)
        for (int from = 0; from <= 8; from += 4) {
            paths_run(&p, *folder, gated(&g, depth, 50, 0.01, from, from + 3, 20));
            double off = distance(&p, depth, from, from + 3, 50, 0.01, euler);
            if (!(off < STEPS_TOLERANCE)) fail_msg("depth %d, gate at %d: %g", depth, from, off);
        }
}

/* The rate 0.001 is a tenth of the paper's, so that its own error is below 1 % of s at every depth:
 * the largest growth rate is 29 (depth 5, s = sqrt 15), of which a step makes 3 %, and a curve that
 * leads by half a step is off by at most about half of that at its steepest. */
static void gradient_descent_follows_the_differential_equations(void **folder) {
    static struct paths p;
    struct gate g = {0};
    for (int depth = 1; depth <= 4; depth++)
        for (int from = 0; from <= 4; from += 4) {
            paths_run(&p, *folder, gated(&g, depth, 500, 0.001, from, from + 3, 20));
            double off = distance(&p, depth, from, from + 3, 500, 0.001, runge_kutta);
            if (!(off < 0.01)) fail_msg("depth %d, gate at %d: %g of s", depth, from, off);
        }
}

static void without_depth_an_early_gate_costs_what_is_learnt_meanwhile(void **folder) {
    static struct paths p;
    struct gate g = {0};
    const double rate = 0.01;
    for (int until = 0; until <= 4; until++) {
        paths_run(&p, *folder, gated(&g, 1, 50, rate, 0, until, 20));
        for (size_t k = 0; k < MODES; k++) {
            const double missing = p.s[k] - p.K[0][0][k] - p.K[0][1][k];
            const double e = pow(1 - rate, 50 * until); /* exp(-tau) in steps */
            assert_near(p.K[20][1][k], p.K[0][1][k] + missing / 2 * e, 1e-4 * p.s[k]);
        }
    }
}

/* The epoch in which the first pathway alone comes to this part of the strongest mode. */
static int epoch_of(const struct paths *p, double part) {
    int e = 0;
    while (p->K[e][0][0] < part * p->s[0]) assert_true(++e < (int)p->rows);
    return e;
}

/* At depth 2 the split stays what it was when the gate opened; deeper it grows, for there
 * d p^(2-D)/dt is the same for both: p_b^(2-D) - p_a^(2-D) stays. 2 %: steps are finite. */
static void the_split_at_the_gates_end_stays_at_depth_2_and_grows_beyond(void **folder) {
    static struct paths p;
    struct gate g = {0};
    for (int depth = 2; depth <= 5; depth++) {
        paths_run(&p, *folder, gated(&g, depth, 10, 0.01, 0, 30, 30));
        int end = epoch_of(&p, 0.05);
        paths_run(&p, *folder, gated(&g, depth, 10, 0.01, 0, end, 40));
        const double *then = p.K[end][0], *now = p.K[40][0];
        double before = then[0] / then[AXIS], after = now[0] / now[AXIS];
        assert_true(before > 2);
        if (depth == 2) {
            assert_near(after / before, 1, 1e-3);
            continue;
        }
        const double power = (2.0 - depth) / depth;
        double left = pow(then[AXIS], power) - pow(then[0], power);
        assert_near((pow(now[AXIS], power) - pow(now[0], power)) / left, 1, 0.02);
        if (!(after > 1.5 * before)) fail_msg("depth %d: %g, then %g", depth, before, after);
    }
}

static void a_late_gate_changes_nothing(void **folder) {
    static struct paths p;
    struct gate g = {0};
    for (int depth = 1; depth <= 4; depth++) {
        const char *const *o = gated(&g, depth, 100, 0.01, 18, 20, 24);
        g.list[6] = "net.jitter=0";
        g.list[7] = NULL;
        paths_run(&p, *folder, o);
        for (size_t k = 0; k < MODES; k++) assert_near(p.K[24][1][k], p.s[k] / 2, 0.01 * p.s[k]);
    }
}

/* A gate as long as a pathway alone needs for half of the strongest mode: the unit of time. */
static void an_early_gate_costs_more_the_deeper_the_pathways(void **folder) {
    static struct paths p;
    struct gate g = {0};
    double share = 1;
    for (int depth = 1; depth <= 4; depth++) {
        paths_run(&p, *folder, gated(&g, depth, 8, 0.01, 0, 30, 30));
        paths_run(&p, *folder, gated(&g, depth, 8, 0.01, 0, epoch_of(&p, 0.5), 30));
        double is = p.K[30][1][0] / p.s[0];
        if (!(is < 0.99 * share)) fail_msg("depth %d: %g, before it %g", depth, is, share);
        share = is;
    }
    assert_true(share < 0.02);
}

static void balanced_pathways_stay_balanced_and_pathways_differ(void **folder) {
    struct trial t = trial_make(*folder, two, (const char *const[]){"net.depth=4", NULL});
    struct net_input inputs[DATA_MODALITIES];
    struct net_spec spec = dataset_net(&t.data, inputs);
    struct net *net;
    size_t n;
    spec.arch = t.config.arch;
    spec.settings = &t.config.net;
    spec.batch = 8;
    spec.threads = 1;
    assert_int_equal(net_create(&net, &spec, NULL), 0);
    net_init(net, 5);
    const struct net_tensor *w = net_param_table(net, &n);
    assert_int_equal(n, 8);
    for (size_t i = 0; i < n; i++) {
        if (i % 4 == 3) continue; /* W[l+1]^T W[l+1] = W[l] W[l]^T, [12, 12] */
        const real *a = net_params(net) + w[i].offset, *b = net_params(net) + w[i + 1].offset;
        for (size_t j = 0; j < 12 * 12; j++) {
            double left = 0, right = 0;
            for (size_t k = 0; k < w[i + 1].shape[0]; k++)
                left += (double)b[k * 12 + j / 12] * (double)b[k * 12 + j % 12];
            for (size_t k = 0; k < w[i].shape[1]; k++)
                right +=
                    (double)a[j / 12 * w[i].shape[1] + k] * (double)a[j % 12 * w[i].shape[1] + k];
            assert_near(left, right, 1e-6);
        }
    }
    assert_memory_not_equal(net_params(net) + w[0].offset, net_params(net) + w[4].offset,
                            w[0].count * sizeof(real));
    net_free(net);
    trial_free(&t);
}

/* ---- matrix completion ----------------------------------------------------------------------- */

static double final_loss(const char *folder, const char *const *overrides) {
    static int number;
    char name[32];
    double loss;
    struct trial t = trial_make(folder, completion, overrides);
    snprintf(name, sizeof name, "completion%d", number++);
    struct run_outcome out = train(&t, folder, name, 0);
    series_read(out.log, "final/test_loss", &loss, 1);
    trial_free(&t);
    return loss;
}

/* At depth 1 an entry that is known approaches its value by the factor 1 - rate / known a step, and
 * the others stay: the loss over all entries has a closed form. float32: 1e-4. */
static void without_depth_every_entry_is_learnt_by_itself(void **folder) {
    struct trial t = trial_make(*folder, completion, NULL);
    struct run_outcome out = train(&t, *folder, "entries", 0);
    double loss[21], left = pow(1 - 0.4 / 200, 50), w[2] = {0, 0};
    series_read(out.log, "test_loss", loss, 21);
    for (size_t i = 0; i < 400; i++) {
        const double target = (double)t.data.test.target[i];
        w[isnan(t.data.train.target[i]) ? 1 : 0] += target * target / 2 / 400;
    }
    assert_near(loss[0], w[0] + w[1], 0.02); /* the start is small, not 0 */
    const double unknown = loss[0] - (loss[0] - loss[1]) / (1 - left * left);
    for (int e = 0; e <= 20; e++)
        assert_near(loss[e], unknown + (loss[0] - unknown) * pow(left, 2 * e), 1e-4);
    assert_near(unknown, w[1], 0.02);
    trial_free(&t);
}

/* What is left of the first task after the second: at depth 1 the part exp(-2 rate steps / known) of
 * half the squared distance of two matrices of size 1, deeper its singular directions. */
static void another_task_first_costs_more_the_longer_only_with_depth(void **folder) {
    const char *depth[] = {"net.depth=1", "net.depth=2", "net.depth=3"};
    const char *until[] = {"deficits[0].until=0", "deficits[0].until=4", "deficits[0].until=16"};
    double loss[3][3];
    for (size_t d = 0; d < 3; d++)
        for (size_t u = 0; u < 3; u++)
            loss[d][u] = final_loss(*folder, (const char *const[]){depth[d], until[u],
                                                                   "train.epochs.after_removal=12",
                                                                   "train.passes=250", NULL});
    const double kept = pow(1 - 0.4 / 200, 2 * 3000) / 2 * 2 * 0.5; /* half of the entries */
    assert_near(loss[0][1], loss[0][0], 2 * kept + 1e-3);
    assert_near(loss[0][2], loss[0][0], 2 * kept + 1e-3);
    for (size_t d = 1; d < 3; d++)
        if (!(3 * loss[d][0] < loss[d][2] && loss[d][0] < loss[d][1] && loss[d][1] < loss[d][2]))
            fail_msg("depth %zu: %g, %g, %g", d + 1, loss[d][0], loss[d][1], loss[d][2]);
}

static size_t known(const float *target, size_t n) {
    size_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += isnan(target[i]) ? 0 : 1;
    return sum;
}

static void spoiled_view(struct view *v, const struct trial *t, double severity) {
    double severities[CONFIG_DEFICITS] = {severity};
    struct error e = {0};
    if (view_make(v, &t->config, &t->data, &t->data.train, severities, &e)) fail_msg("%s", e.text);
}

static void fewer_entries_are_among_more_and_as_many_as_asked(void **folder) {
    struct view few = {0}, more = {0};
    struct trial t = trial_make(
        *folder, completion,
        (const char *const[]){"deficits[0]={type: few_entries, entries: 100, until: 3}", NULL});
    assert_int_equal(known(t.data.train.target, 400), 200);
    assert_int_equal(known(t.data.test.target, 400), 400);
    spoiled_view(&few, &t, 1);
    spoiled_view(&more, &t, 0.5);
    assert_int_equal(known(few.targets, 400), 100);
    assert_int_equal(known(more.targets, 400), 150);
    for (size_t i = 0; i < 400; i++) {
        if (!isnan(few.targets[i])) assert_true(few.targets[i] == more.targets[i]);
        if (!isnan(more.targets[i])) assert_true(more.targets[i] == t.data.train.target[i]);
    }
    view_free(&few);
    view_free(&more);
    trial_free(&t);
}

static void another_task_has_other_values_at_the_same_entries(void **folder) {
    struct view other = {0}, half = {0};
    struct trial t =
        trial_make(*folder, completion, (const char *const[]){"deficits[0].until=3", NULL});
    const float *clean = t.data.train.target;
    double squares = 0, along = 0;
    spoiled_view(&other, &t, 1);
    spoiled_view(&half, &t, 0.5);
    for (size_t i = 0; i < 400; i++) {
        assert_int_equal(isnan(other.targets[i]) != 0, isnan(clean[i]) != 0);
        if (isnan(clean[i])) continue;
        squares += (double)other.targets[i] * (double)other.targets[i] / 200;
        along += (double)other.targets[i] * (double)clean[i] / 200;
        assert_near((double)half.targets[i], ((double)clean[i] + (double)other.targets[i]) / 2,
                    1e-6);
    }
    assert_true(squares > 0.5 && squares < 1.6 && fabs(along) < 0.4);
    view_free(&other);
    view_free(&half);
    trial_free(&t);
}

/* ---- what every run does --------------------------------------------------------------------- */

static void a_stopped_and_resumed_run_is_the_run_from_scratch(void **folder) {
    const char *const yaml[] = {two, completion};
    const char *const overrides[][3] = {
        {"train.epochs.total=9", "deficits[0].until=5", NULL},
        {"train.epochs.after_removal=4", "deficits[0].until=5", NULL}};
    for (size_t i = 0; i < 2; i++) {
        char whole[16], parts[16];
        snprintf(whole, sizeof whole, "whole%zu", i);
        snprintf(parts, sizeof parts, "parts%zu", i);
        struct trial t = trial_make(*folder, yaml[i], overrides[i]);
        struct run_outcome a = train(&t, *folder, whole, 0);
        train(&t, *folder, parts, 3);
        struct run_outcome b = train(&t, *folder, parts, 0);
        assert_int_equal(b.epochs_trained, 6);
        assert_true(same_files(a.log, b.log, log_groups) > 12);
        trial_free(&t);
    }
}

/* Only the order of the sums differs. */
static void an_epoch_of_many_passes_is_many_epochs(void **folder) {
    static struct paths one, many;
    struct gate g = {0};
    paths_run(&many, *folder, gated(&g, 3, 20, 0.01, 0, 1, 3));
    paths_run(&one, *folder, gated(&g, 3, 1, 0.01, 0, 20, 60));
    for (size_t e = 0; e <= 3; e++)
        for (size_t k = 0; k < MODES; k++)
            for (size_t m = 0; m < 2; m++)
                assert_near(many.K[e][m][k], one.K[20 * e][m][k], STEPS_TOLERANCE);
}

static void passes_and_losses_name_other_states_than_the_defaults(void **folder) {
    const char *const others[][2] = {{"train.passes=2", NULL},
                                     {"train.loss.type=squared_error", NULL}};
    struct trial t = trial_of(*folder, NULL);
    struct trial same = trial_of(
        *folder, (const char *const[]){"train.passes=1", "train.loss.type=cross_entropy", NULL});
    assert_string_equal(t.timeline.run_id, same.timeline.run_id);
    for (size_t i = 0; i < 2; i++) {
        struct trial other = trial_of(*folder, others[i]);
        assert_string_not_equal(t.timeline.key[0], other.timeline.key[0]);
        trial_free(&other);
    }
    trial_free(&same);
    trial_free(&t);
}

static void classes_can_be_learnt_by_squared_error(void **folder) {
    const char *const o[] = {"train.loss={type: squared_error}", "train.epochs.after_removal=12",
                             "net={arch: mlp, hidden: [64]}", "deficits=[]", NULL};
    struct trial t = trial_of(*folder, o);
    struct run_outcome out = train(&t, *folder, "onehot", 0);
    double loss[13], accuracy[13];
    series_read(out.log, "train_loss", loss, 13);
    series_read(out.log, "train_accuracy", accuracy, 13);
    assert_true(loss[12] < 0.5 * loss[1]);
    assert_true(accuracy[12] > 0.5 && accuracy[12] <= 1);
    trial_free(&t);
}

/* ---- Fisher information ---------------------------------------------------------------------- */

static double trace(const struct trial *t, const char *log) {
    double v[EPOCHS_MOST + 1];
    series_read(log, "fisher_trace", v, (size_t)t->timeline.total + 1);
    return v[t->timeline.total];
}

/* y = (Wa + Wb) x with a unit vector x: every output has a gradient of length sqrt 2, so tr F is twice
 * the known outputs; the empirical one is 2 |y - t|^2. */
static void the_fisher_trace_of_a_linear_net_counts_its_outputs(void **folder) {
    static const char *const estimators[] = {"exact", "sketch"};
    char text[64];
    for (size_t i = 0; i < 2; i++) {
        snprintf(text, sizeof text, "fisher={probes: 8, estimator: %s}", estimators[i]);
        const char *const o[] = {text, "net.depth=1", "train.epochs.total=1", NULL};
        struct trial t = trial_make(*folder, two, o);
        struct run_outcome out = train(&t, *folder, estimators[i], 0);
        assert_near(trace(&t, out.log), 30, 1e-4);
        trial_free(&t);
        snprintf(text, sizeof text, "fisher={probes: 20, estimator: %s}", estimators[i]);
        t = trial_make(*folder, completion, (const char *const[]){text, NULL});
        out = train(&t, *folder, estimators[i], 0);
        assert_near(trace(&t, out.log), 200 / 20.0, 1e-4);
        trial_free(&t);
    }
    const char *const o[] = {"fisher={probes: 8, estimator: empirical}", "net.depth=1",
                             "train.epochs.total=0", NULL};
    struct trial t = trial_make(*folder, two, o);
    struct run_outcome out = train(&t, *folder, "empirical", 0);
    double loss;
    series_read(out.log, "test_loss", &loss, 1);
    assert_near(trace(&t, out.log), 2 * 2 * loss, 1e-4);
    trial_free(&t);
}

/* 4000 draws of 15 squared normals, twice: s.d. of the mean 2 sqrt(2 15 / 8 / 500) = 0.17. */
static void sampled_and_exact_traces_agree(void **folder) {
    const char *const o[] = {"fisher={probes: 8, estimator: sampled, draws: 500}", "net.depth=1",
                             "train.epochs.total=0", NULL};
    struct trial t = trial_make(*folder, two, o);
    struct run_outcome out = train(&t, *folder, "sampled", 0);
    assert_near(trace(&t, out.log), 30, 5 * 0.17);
    trial_free(&t);
}

/* ---- what is refused ------------------------------------------------------------------------- */

static void refused(const char *folder, const char *yaml, const char *const *overrides,
                    const char *words) {
    struct trial t;
    struct error e = {0};
    int status = trial_try(&t, folder, yaml, overrides, &e);
    if (!status) {
        status = check_data(&t.config, &t.data, &e);
        if (!status) status = check_net(&t.config, &t.data, &e);
        trial_free(&t);
    }
    if (status != STATUS_USAGE) fail_msg("not refused, expected '%s'", words);
    if (!strstr(e.text, words)) fail_msg("expected '%s' in: %s", words, e.text);
}

static void what_cannot_be_is_refused_in_one_sentence(void **folder) {
#define REFUSED(yaml, words, ...)                                                                  \
    refused(*folder, yaml, (const char *const[]){__VA_ARGS__, NULL}, words)
    REFUSED(two, "take squared_error", "train.loss={type: cross_entropy}");
    REFUSED(two, "no loss 'squared'", "train.loss={type: squared}");
    REFUSED(two, "has targets", "deficits[0]={type: label_permutation, until: 3}");
    REFUSED(tiny, "has classes", "deficits[0]={type: few_entries, entries: 5, until: 3}");
    REFUSED(completion, "has none for 'column': the data have one modality",
            "deficits[0]={type: gate_path, until: 3}");
    REFUSED(two, "several modalities (a, b): name one", "deficits=[{type: gate_path, until: 3}]");
    REFUSED(two, "loss is of targets", "stabilizers=[{type: fisher_penalty}]");
    REFUSED(two, "has targets in place of classes", "measures=[modality_accuracy]");
    REFUSED(two, "after the encoders meet", "measures=[rsv]");
    REFUSED(tiny, "needs targets", "measures=[modes]");
    REFUSED(tiny, "needs targets", "measures=[singular_values]");
    REFUSED(two, "one pathway per modality", "net={arch: towers, init: he_normal}",
            "measures=[modes]");
    REFUSED(two, "too narrow", "net.width=7");
    REFUSED(tiny, "have none; take gaussian", "net={arch: deeplinear, init: balanced}");
    REFUSED(completion, "more than data.size", "data.rank=21");
    REFUSED(completion, "400 entries cannot be known", "data.observed=401");
#undef REFUSED
}

static void a_gate_holds_one_branch_of_any_net(void **folder) {
    const char *const o[] = {"data={set: views, of: optotypes, train: 48, test: 24}",
                             "net={arch: split_allcnn, width: 0.05, norm: none}",
                             "deficits=[{type: gate_path, modality: right, from: 0, until: 2}]",
                             "train.epochs.after_removal=0",
                             "train.optimizer={momentum: 0.9, weight_decay: 0}",
                             NULL};
    struct trial t = trial_make(*folder, tiny, o);
    struct run_outcome out = train(&t, *folder, "gate", 0);
    char path[FIXTURE_TEXT], root[FIXTURE_TEXT];
    struct store store;
    snprintf(root, sizeof root, "%.3000s/gate", (const char *)*folder);
    store_at(&store, root);
    (void)out;
    store_state_path(path, &store, &t.timeline, 2, STORED_KEPT);
    struct net_input inputs[DATA_MODALITIES];
    struct net_spec spec = dataset_net(&t.data, inputs);
    struct net *net;
    struct error e = {0};
    size_t n, same = 0, moved = 0;
    spec.arch = t.config.arch;
    spec.settings = &t.config.net;
    spec.batch = 16;
    spec.threads = 1;
    assert_int_equal(net_create(&net, &spec, NULL), 0);
    net_init(net, t.config.net_seed);
    struct state s = {.net = net, .optimizer = t.config.optimizer_type};
    real *start = malloc(net_params_count(net) * sizeof *start);
    memcpy(start, net_params(net), net_params_count(net) * sizeof *start);
    s.slots[0] = calloc(net_params_count(net), sizeof(real));
    if (state_load(&s, path, t.timeline.key[2], &e)) fail_msg("%s", e.text);
    const struct net_tensor *w = net_param_table(net, &n);
    for (size_t i = 0; i < n; i++) {
        bool is =
            !memcmp(start + w[i].offset, net_params(net) + w[i].offset, w[i].count * sizeof *start);
        bool right = net_layer_branch(net, (size_t)w[i].layer) == 1;
        if (right && !is) fail_msg("%s moved", w[i].name);
        same += right;
        moved += !right && !is;
    }
    assert_true(same > 2 && moved > 4);
    free(s.slots[0]);
    free(start);
    net_free(net);
    trial_free(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_singular_vectors_give_the_matrix_back),
        cmocka_unit_test(squared_error_is_its_formula_and_leaves_out_what_is_unknown),
        cmocka_unit_test(a_random_matrix_has_its_rank_and_entries_of_size_1),
        cmocka_unit_test(modes_of_the_hierarchy_are_known),
        cmocka_unit_test(gradient_descent_is_its_own_recursion_for_every_mode),
        cmocka_unit_test(gradient_descent_follows_the_differential_equations),
        cmocka_unit_test(without_depth_an_early_gate_costs_what_is_learnt_meanwhile),
        cmocka_unit_test(the_split_at_the_gates_end_stays_at_depth_2_and_grows_beyond),
        cmocka_unit_test(a_late_gate_changes_nothing),
        cmocka_unit_test(an_early_gate_costs_more_the_deeper_the_pathways),
        cmocka_unit_test(balanced_pathways_stay_balanced_and_pathways_differ),
        cmocka_unit_test(without_depth_every_entry_is_learnt_by_itself),
        cmocka_unit_test(another_task_first_costs_more_the_longer_only_with_depth),
        cmocka_unit_test(fewer_entries_are_among_more_and_as_many_as_asked),
        cmocka_unit_test(another_task_has_other_values_at_the_same_entries),
        cmocka_unit_test(a_stopped_and_resumed_run_is_the_run_from_scratch),
        cmocka_unit_test(an_epoch_of_many_passes_is_many_epochs),
        cmocka_unit_test(passes_and_losses_name_other_states_than_the_defaults),
        cmocka_unit_test(classes_can_be_learnt_by_squared_error),
        cmocka_unit_test(the_fisher_trace_of_a_linear_net_counts_its_outputs),
        cmocka_unit_test(sampled_and_exact_traces_agree),
        cmocka_unit_test(what_cannot_be_is_refused_in_one_sentence),
        cmocka_unit_test(a_gate_holds_one_branch_of_any_net),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
