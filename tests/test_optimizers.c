/* Optimizers against PyTorch: four steps from w = (1, -2, 0.5) with the gradients
 * (0.1 t, -0.3, 0.2 / t) at rate 0.1. The numbers were printed by torch 1.13.1 in double:
 *
 *   w = torch.tensor([1, -2, 0.5], dtype=torch.float64, requires_grad=True)
 *   o = torch.optim.SGD([w], lr=0.1, ...)          (or Adam)
 *   for t in range(1, 5): w.grad = torch.tensor([0.1*t, -0.3, 0.2/t]).double(); o.step()     */
#include "tests/net_fixture.h"

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
        o->step(&s, rate, t, P, w, dw, slots);
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
        cmocka_unit_test(every_optimizer_has_a_case_and_names_its_slots),
        cmocka_unit_test(nesterov_without_momentum_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
