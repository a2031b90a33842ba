/* How many cores may be used: control groups of both versions, in a folder that stands for the
 * machine's root, Slurm's variables, and affinity. */
#include <limits.h>
#ifdef __linux__
#include <sched.h>
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cores.h"
#include "base/system.h"

#define MOUNT_V2 "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
#define MOUNT_V1 "31 23 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"

static const char *folder_make(void **state) {
    static const char name[] = "/cores.XXXXXX";
    const char *parent = getenv("TMPDIR");
    if (!parent) parent = "/tmp";
    char *folder = malloc(strlen(parent) + sizeof name);
    assert_non_null(folder);
    strcpy(folder, parent);
    strcat(folder, name);
    assert_non_null(mkdtemp(folder));
    return *state = folder;
}

static int begin(void **state) {
    unsetenv("SLURM_JOB_ID");
    folder_make(state);
    return 0;
}

static int end(void **state) {
    struct error e = {0};
    int status = system_remove_folder(*state, &e);
    free(*state);
    return status;
}

static void put(const char *root, const char *path, const char *text) {
    char full[4096];
    struct error e = {0};
    snprintf(full, sizeof full, "%s%s", root, path);
    *strrchr(full, '/') = '\0';
    assert_int_equal(system_make_folder(full, &e), STATUS_OK);
    snprintf(full, sizeof full, "%s%s", root, path);
    FILE *f = fopen(full, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void no_groups_are_no_limit(void **state) {
    const char *root = *state;
    assert_int_equal(cores_of_cgroups(root), INT_MAX);
    put(root, "/proc/self/mountinfo", MOUNT_V2);
    assert_int_equal(cores_of_cgroups(root), INT_MAX);
    put(root, "/proc/self/cgroup", "0::/\n");
    assert_int_equal(cores_of_cgroups(root), INT_MAX);
}

static void version_2_limits_by_quota_and_period(void **state) {
    static const struct {
        const char *text;
        int cores;
    } cases[] = {
        {"400000 100000\n", 4},   {"100000 100000\n", 1},
        {"150000 100000\n", 2},   {"20000 100000\n", 1},
        {"100001 50000\n", 3},    {"max 100000\n", INT_MAX},
        {"1e300 1\n", INT_MAX},   {"", INT_MAX},
        {"nonsense\n", INT_MAX},  {"400000 0\n", INT_MAX},
        {"-1 100000\n", INT_MAX},
    };
    const char *root = *state;
    put(root, "/proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda rw\n" MOUNT_V2);
    put(root, "/proc/self/cgroup", "0::/user.slice/run-1.scope\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put(root, "/sys/fs/cgroup/user.slice/run-1.scope/cpu.max", cases[i].text);
        assert_int_equal(cores_of_cgroups(root), cases[i].cores);
    }
}

static void the_tightest_group_above_counts(void **state) {
    const char *root = *state;
    put(root, "/proc/self/mountinfo", MOUNT_V2);
    put(root, "/proc/self/cgroup", "0::/a/b/c\n");
    put(root, "/sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
    put(root, "/sys/fs/cgroup/a/cpu.max", "300000 100000\n");
    assert_int_equal(cores_of_cgroups(root), 3); /* b has no such file */
    put(root, "/sys/fs/cgroup/a/b/cpu.max", "500000 100000\n");
    assert_int_equal(cores_of_cgroups(root), 3);
    put(root, "/sys/fs/cgroup/a/b/cpu.max", "200000 100000\n");
    assert_int_equal(cores_of_cgroups(root), 2);
    put(root, "/sys/fs/cgroup/cpu.max", "100000 100000\n");
    assert_int_equal(cores_of_cgroups(root), 1);
    put(root, "/sys/fs/cgroup/other/cpu.max", "1000 100000\n");
    put(root, "/sys/fs/cpu.max", "1000 100000\n"); /* above the mount */
    put(root, "/proc/self/cgroup", "0::/a\n");
    put(root, "/sys/fs/cgroup/cpu.max", "max 100000\n");
    assert_int_equal(cores_of_cgroups(root), 3);
}

static void version_1_limits_by_quota_and_period(void **state) {
    const char *root = *state;
    put(root, "/proc/self/mountinfo",
        "32 23 0:28 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n" MOUNT_V1);
    put(root, "/proc/self/cgroup", "5:cpuset:/wrong\n4:cpu,cpuacct:/batch/job\n0::/wrong\n");
    put(root, "/sys/fs/cgroup/cpu,cpuacct/batch/job/cpu.cfs_period_us", "50000\n");
    put(root, "/sys/fs/cgroup/cpu,cpuacct/batch/job/cpu.cfs_quota_us", "-1\n");
    assert_int_equal(cores_of_cgroups(root), INT_MAX);
    put(root, "/sys/fs/cgroup/cpu,cpuacct/batch/job/cpu.cfs_quota_us", "350000\n");
    assert_int_equal(cores_of_cgroups(root), 7);
    put(root, "/sys/fs/cgroup/cpu,cpuacct/batch/cpu.cfs_quota_us", "200000\n");
    assert_int_equal(cores_of_cgroups(root), 7); /* a quota without a period is none */
    put(root, "/sys/fs/cgroup/cpu,cpuacct/batch/cpu.cfs_period_us", "100000\n");
    assert_int_equal(cores_of_cgroups(root), 2);
}

/* Mounted is the container's part, while the path is the host's; or the path is elsewhere. */
static void containers_see_their_own_limit(void **state) {
    const char *root = *state;
    put(root, "/proc/self/mountinfo",
        "31 23 0:27 /docker/1f /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu,cpuacct\n");
    put(root, "/proc/self/cgroup", "4:cpu,cpuacct:/docker/1f/inner\n");
    put(root, "/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    put(root, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "600000\n");
    assert_int_equal(cores_of_cgroups(root), 6);
    put(root, "/sys/fs/cgroup/cpu/inner/cpu.cfs_period_us", "100000\n");
    put(root, "/sys/fs/cgroup/cpu/inner/cpu.cfs_quota_us", "200000\n");
    assert_int_equal(cores_of_cgroups(root), 2);
    put(root, "/proc/self/cgroup", "4:cpu,cpuacct:/docker/1fff\n");
    assert_int_equal(cores_of_cgroups(root), 6);
    put(root, "/proc/self/cgroup", "4:cpu,cpuacct:/docker/1f/../../x\n");
    assert_int_equal(cores_of_cgroups(root), 6);
}

static void files_that_make_no_sense_are_no_limit(void **state) {
    const char *root = *state;
    char *text = malloc(20000);
    assert_non_null(text);
    memset(text, 'x', 20000);
    text[19999] = '\0';
    put(root, "/proc/self/cgroup", text);
    put(root, "/proc/self/mountinfo", text);
    assert_int_equal(cores_of_cgroups(root), INT_MAX);
    put(root, "/proc/self/mountinfo", "\n - \n30 23 - cgroup2\n" MOUNT_V2 "30 23 0:26 / ");
    put(root, "/proc/self/cgroup", "\n:\n::\n0:\n0::");
    assert_int_equal(cores_of_cgroups(root), INT_MAX);
    free(text);
}

static void a_slurm_job_has_the_cores_of_its_task(void **state) {
    (void)state;
    setenv("SLURM_CPUS_PER_TASK", "3", 1);
    assert_int_equal(cores_of_slurm(), INT_MAX); /* no job */
    setenv("SLURM_JOB_ID", "17", 1);
    setenv("SLURM_CPUS_ON_NODE", "8", 1);
    assert_int_equal(cores_of_slurm(), 3);
    unsetenv("SLURM_CPUS_PER_TASK");
    assert_int_equal(cores_of_slurm(), 8);
    setenv("SLURM_CPUS_PER_TASK", "none", 1);
    assert_int_equal(cores_of_slurm(), 8);
    setenv("SLURM_CPUS_PER_TASK", "1", 1);
    assert_int_equal(cores_usable(), 1);
    unsetenv("SLURM_CPUS_PER_TASK");
    unsetenv("SLURM_CPUS_ON_NODE");
    assert_int_equal(cores_of_slurm(), INT_MAX);
    unsetenv("SLURM_JOB_ID");
}

static void affinity_counts_and_the_machine_is_the_most(void **state) {
    (void)state;
    long machine = sysconf(_SC_NPROCESSORS_CONF);
    assert_in_range(cores_usable(), 1, machine);
#ifdef __linux__
    cpu_set_t all, one;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &all) && !CPU_COUNT(&one)) CPU_SET(i, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(cores_usable(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
#endif
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(no_groups_are_no_limit),
        TEST(version_2_limits_by_quota_and_period),
        TEST(the_tightest_group_above_counts),
        TEST(version_1_limits_by_quota_and_period),
        TEST(containers_see_their_own_limit),
        TEST(files_that_make_no_sense_are_no_limit),
        TEST(a_slurm_job_has_the_cores_of_its_task),
        TEST(affinity_counts_and_the_machine_is_the_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
