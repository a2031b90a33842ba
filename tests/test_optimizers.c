/* Optimizers against PyTorch: four steps from w = (1, -2, 0.5) with the gradients
 * (0.1 t, -0.3, 0.2 / t) at rate 0.1. The numbers were printed by torch 1.13.1 in double:
 *
 *   w = torch.tensor([1, -2, 0.5], dtype=torch.float64, requires_grad=True)
 *   o = torch.optim.SGD([w], lr=0.1, ...)          (or Adam)
 *   for t in range(1, 5): w.grad = torch.tensor([0.1*t, -0.3, 0.2/t]).double(); o.step()     */
#include "tests/net_fixture.h"

#include "base/sum.h"
#include "nets/optimizer.h"

enum { P = 3, STEPS = 4, MOST = 6 };

/* Four steps, each a few roundings of numbers near 1. */
#ifdef REAL_IS_DOUBLE
static const double CLOSE = 1e-14;
#else
static const double CLOSE = 2e-6;
#endif

static const struct {
    const char *optimizer;
    const char *settings[MOST][2];
    double expected[P];
} CASES[] = {
    {"sgd", {{0}}, {0.89999999999999991, -1.8799999999999999, 0.45833333333333331}},
    {"sgd",
     {{"weight_decay", "0.05"}},
     {0.88064825187500007, -1.8411960049999998, 0.44883966947916665}},
    {"sgd",
     {{"weight_decay", "0.05"}, {"momentum", "0.9"}},
     {0.77048948937499995, -1.6407993049999998, 0.36512652572916665}},
    {"sgd",
     {{"weight_decay", "0.05"}, {"momentum", "0.9"}, {"nesterov", "true"}},
     {0.67568315407268753, -1.5210639168605, 0.32886793465069791}},
    {"adam", {{0}}, {0.61164067212641759, -1.6000000133333343, 0.13734232182776412}},
    {"adam",
     {{"beta1", "0.8"}, {"beta2", "0.95"}, {"eps", "1e-3"}, {"weight_decay", "0.05"}},
     {0.60244828834164044, -1.6014882496215297, 0.1416846556734721}},
};
enum { CASES_N = sizeof CASES / sizeof *CASES };

static void settings_of(size_t i, struct settings *s) {
    settings_init(s, optimizer_find(CASES[i].optimizer)->params, NULL);
    for (size_t j = 0; j < MOST && CASES[i].settings[j][0]; j++)
        assert_int_equal(settings_set(s, CASES[i].settings[j][0], CASES[i].settings[j][1], NULL),
                         0);
}

static void steps_of(size_t i, double rate, real *w) {
    const struct optimizer *o = optimizer_find(CASES[i].optimizer);
    real a[P] = {0}, b[P] = {0};
    real *slots[OPTIMIZER_SLOTS] = {a, b};
    struct settings s;
    settings_of(i, &s);
    for (int t = 1; t <= STEPS; t++) {
        real dw[P] = {(real)(0.1 * t), (real)-0.3, (real)(0.2 / t)};
        optimizer_step(o, &s, rate, t, P, w, dw, slots);
    }
    settings_free(&s);
}

static void four_steps_are_those_of_pytorch(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASES_N; i++) {
        real w[P] = {1, -2, (real)0.5};
        steps_of(i, 0.1, w);
        for (size_t j = 0; j < P; j++) assert_near((double)w[j], CASES[i].expected[j], CLOSE);
    }
}

static void a_rate_of_0_moves_nothing(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASES_N; i++) {
        const real start[P] = {1, -2, (real)0.5};
        real w[P];
        memcpy(w, start, sizeof w);
        steps_of(i, 0, w);
        assert_memory_equal(w, start, sizeof w);
    }
}

/* Parameters and slots of n numbers each, the gradients last, all drawn. */
enum { ARRAYS = OPTIMIZER_SLOTS + 2, LONG = 203 };

static void arrays_draw(real arrays[ARRAYS][LONG]) {
    struct rng rng = rng_stream(5, "order", 0, 0);
    for (size_t a = 0; a < ARRAYS; a++)
        for (size_t i = 0; i < LONG; i++) arrays[a][i] = (real)rng_uniform(&rng);
}

static double part_step(size_t i, real arrays[ARRAYS][LONG], size_t first, size_t last) {
    const struct optimizer *o = optimizer_find(CASES[i].optimizer);
    real *slots[OPTIMIZER_SLOTS];
    struct settings s;
    settings_of(i, &s);
    for (size_t k = 0; k < OPTIMIZER_SLOTS; k++) slots[k] = arrays[1 + k] + first;
    double squares = optimizer_step(o, &s, 0.1, 3, last - first, arrays[0] + first,
                                    arrays[ARRAYS - 1] + first, slots);
    settings_free(&s);
    return squares;
}

static void a_step_in_parts_is_the_whole_step(void **unused) {
    (void)unused;
    real whole[ARRAYS][LONG], parts[ARRAYS][LONG];
    for (size_t i = 0; i < CASES_N; i++)
        for (size_t cut = 0; cut < LONG; cut += 7) {
            arrays_draw(whole);
            arrays_draw(parts);
            double squares = part_step(i, whole, 0, LONG);
            double sum = part_step(i, parts, 0, cut) + part_step(i, parts, cut, LONG);
            assert_memory_equal(whole, parts, sizeof whole);
            assert_near(squares, sum, 1e-12 * squares);
            assert_near(squares, sum_squares(whole[ARRAYS - 1], LONG), 1e-12 * squares);
        }
}

/* Two steps of a net, the gradients lying whole or taken as they come. Returns the sum of their
 * squares. */
static double net_steps(struct net *net, size_t i, bool whole, size_t N, real *const *slots) {
    const struct optimizer *o = optimizer_find(CASES[i].optimizer);
    const size_t n = net_params_count(net);
    int32_t labels[16] = {0, 1, 2, 1};
    double sum = 0;
    struct settings s;
    settings_of(i, &s);
    net_init(net, 7);
    modality_fill(net, 0, 0, N, 3);
    for (size_t k = 0; k < OPTIMIZER_SLOTS; k++) memset(slots[k], 0, n * sizeof(real));
    for (int t = 1; t <= 2; t++) {
        net_forward(net, N, NET_TRAIN);
        net_loss(net, labels, N);
        if (!whole) {
            net_grads(net)[n - 1] = 3;
            sum += optimizer_descend(o, &s, 0.05, t, net, N, slots);
            for (size_t k = 0; k < n; k++) assert_true(net_grads(net)[k] == (k < n - 1 ? 0 : 3));
            continue;
        }
        net_backward(net, N);
        sum += sum_squares(net_grads(net), n);
        optimizer_step(o, &s, 0.05, t, n, net_params(net), net_grads(net), slots);
    }
    settings_free(&s);
    return sum;
}

static const struct {
    const char *arch, *settings[3];
    struct net_input input;
} NETS[] = {
    {"mlp", {"hidden=[600, 130]", "norm=batch"}, {.name = "image", .H = 24, .W = 23, .C = 1}},
    {"lenet", {NULL}, {.name = "image", .H = 28, .W = 28, .C = 1}},
    {"resnet18", {"width=8"}, {.name = "image", .H = 8, .W = 8, .C = 3}},
};

static void net_compare(struct net *net, struct net *other, size_t i, size_t N) {
    const size_t n = net_params_count(net);
    real *slots[2][OPTIMIZER_SLOTS];
    for (size_t k = 0; k < 2 * OPTIMIZER_SLOTS; k++) {
        slots[k / OPTIMIZER_SLOTS][k % OPTIMIZER_SLOTS] = calloc(n, sizeof(real));
        assert_non_null(slots[k / OPTIMIZER_SLOTS][k % OPTIMIZER_SLOTS]);
    }
    double a = net_steps(net, i, true, N, slots[0]), b = net_steps(other, i, false, N, slots[1]);
    assert_true(a > 0);
    assert_near(a, b, 1e-12 * a);
    assert_memory_equal(net_params(net), net_params(other), n * sizeof(real));
    for (size_t k = 0; k < OPTIMIZER_SLOTS; k++) {
        assert_memory_equal(slots[0][k], slots[1][k], n * sizeof(real));
        free(slots[0][k]);
        free(slots[1][k]);
    }
}

static void a_step_within_the_backward_pass_is_the_step_after_it(void **unused) {
    (void)unused;
    for (size_t k = 0; k < sizeof NETS / sizeof *NETS; k++)
        for (int threads = 1; threads <= 3; threads++) {
            const struct arch *arch = arch_find(NETS[k].arch);
            struct net *net = net_make(arch, NETS[k].settings, NETS[k].input, 3, 9, 1, NULL);
            struct net *other =
                net_make(arch, NETS[k].settings, NETS[k].input, 3, 9, threads, NULL);
            assert_true(net && other);
            for (size_t i = 0; i < CASES_N; i++) net_compare(net, other, i, 9);
            net_free(net);
            net_free(other);
        }
}

static void the_gradient_norm_does_not_depend_on_threads(void **unused) {
    (void)unused;
    double norm[3];
    real *slots[OPTIMIZER_SLOTS];
    for (int threads = 1; threads <= 3; threads++) {
        struct net *net =
            net_make(arch_find("mlp"), NETS[0].settings, NETS[0].input, 3, 9, threads, NULL);
        assert_non_null(net);
        for (size_t k = 0; k < OPTIMIZER_SLOTS; k++)
            slots[k] = calloc(net_params_count(net), sizeof(real));
        assert_true(slots[0] && slots[1]);
        norm[threads - 1] = net_steps(net, 2, false, 9, slots);
        for (size_t k = 0; k < OPTIMIZER_SLOTS; k++) free(slots[k]);
        net_free(net);
    }
    assert_true(norm[0] == norm[1] && norm[1] == norm[2]);
}

static void every_optimizer_has_a_case_and_names_its_slots(void **unused) {
    (void)unused;
    size_t n;
    const struct optimizer *const *all = optimizer_list(&n);
    for (size_t i = 0; i < n; i++) {
        size_t found = 0;
        for (size_t j = 0; j < CASES_N; j++) found += !strcmp(CASES[j].optimizer, all[i]->name);
        if (!found) fail_msg("optimizer %s has no case", all[i]->name);
        assert_true(all[i]->slots <= OPTIMIZER_SLOTS);
        for (size_t k = 0; k < all[i]->slots; k++) assert_non_null(all[i]->slot_names[k]);
        assert_ptr_equal(optimizer_find(all[i]->name), all[i]);
    }
    assert_null(optimizer_find("no such optimizer"));
}

static void nesterov_without_momentum_is_refused(void **unused) {
    (void)unused;
    struct settings s;
    struct error e = {0};
    settings_init(&s, optimizer_find("sgd")->params, NULL);
    assert_int_equal(optimizer_find("sgd")->check(&s, &e), STATUS_OK);
    settings_set(&s, "nesterov", "true", NULL);
    assert_int_equal(optimizer_find("sgd")->check(&s, &e), STATUS_USAGE);
    assert_non_null(strstr(e.text, "momentum"));
    settings_set(&s, "momentum", "0.9", NULL);
    assert_int_equal(optimizer_find("sgd")->check(&s, &e), STATUS_OK);
    settings_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_steps_are_those_of_pytorch),
        cmocka_unit_test(a_rate_of_0_moves_nothing),
        cmocka_unit_test(a_step_in_parts_is_the_whole_step),
        cmocka_unit_test(a_step_within_the_backward_pass_is_the_step_after_it),
        cmocka_unit_test(the_gradient_norm_does_not_depend_on_threads),
        cmocka_unit_test(every_optimizer_has_a_case_and_names_its_slots),
        cmocka_unit_test(nesterov_without_momentum_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
