/*
 * run_cases.c: runs cases (cases.h) on the device of this machine:  run_cases FOLDER FILE...
 *
 * Stdout gets a line `# DEVICE, DATE`, for each file `# FILE`, and for each case `passed NAME` or
 * `failed NAME: WHY`.
 * The last line of stderr counts them.  Exit status 0: all passed, 1: some failed, 2: no device.
 * C99 upon gpu_runtime; tests/device/run compiles it.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/device/run_cases.h"

struct session {
    struct driver driver; /* held throughout: a device's first user waits long for it */
    const char *folder;
    size_t n_passed, n_failed;
};

static int open_device(struct session *s)
{
    struct sheaf_error err;
    if (driver_open(&s->driver, 0, &err) == SHEAF_OK && driver_enter(&s->driver, &err) == SHEAF_OK)
        return 1;
    fprintf(stderr, "%s\n", err.text);
    return 0;
}

/* After a fault the device is of no use until nobody holds it any more. */
static int reopen_device(struct session *s)
{
    driver_leave(&s->driver);
    driver_close(&s->driver);
    return open_device(s);
}

static void print_device(const struct session *s)
{
    char date[20];
    time_t now = time(NULL);
    strftime(date, sizeof date, "%Y-%m-%d", gmtime(&now));
    printf("# %s, driver for CUDA %d.%d, %s\n", s->driver.device_name, s->driver.version / 1000,
           s->driver.version % 1000 / 10, date);
}

/* False where there is no device any more. */
static int run_case(struct session *s, struct device_case *c)
{
    int is_network = strncmp(c->records[0].words, "network ", 8) == 0;
    c->name[0] = c->why[0] = 0;
    int good = is_network ? network_case_run(c, s->folder) : kernel_case_run(c, &s->driver);
    if (good)
        printf("passed %s\n", c->name);
    else
        printf("failed %s: %s\n", c->name, c->why);
    fflush(stdout);
    s->n_passed += good != 0;
    s->n_failed += !good;
    return good || reopen_device(s);
}

static int starts_case(const struct case_record *r)
{
    return strncmp(r->words, "in", 2) != 0 && strncmp(r->words, "out", 3) != 0;
}

/* False where there is no device any more. */
static int run_records(struct session *s, struct case_reader *reader)
{
    static struct device_case c;
    struct case_record r;
    c.n = 0;
    while (case_next(reader, &r)) {
        if (starts_case(&r) && c.n) {
            if (!run_case(s, &c))
                return 0;
            c.n = 0;
        }
        if (c.n == MAX_RECORDS) {
            fprintf(stderr, "a case has more than %d records\n", MAX_RECORDS);
            return 0;
        }
        c.records[c.n++] = r;
    }
    return !c.n || run_case(s, &c);
}

static int run_file(struct session *s, const char *path)
{
    struct case_reader reader = case_open(path);
    const char *file = strrchr(path, '/');
    printf("# %s\n", file ? file + 1 : path);
    int there = run_records(s, &reader);
    case_close(&reader);
    return there;
}

int main(int argc, char **argv)
{
    struct session s = {.folder = argv[1]};
    if (argc < 3) {
        fprintf(stderr, "run_cases FOLDER FILE...\n");
        return 2;
    }
    if (!open_device(&s))
        return 2;
    print_device(&s);
    int there = 1;
    for (int i = 2; i < argc && there; i++)
        there = run_file(&s, argv[i]);
    if (there)
        driver_leave(&s.driver);
    driver_close(&s.driver);
    fprintf(stderr, "%zu passed, %zu failed\n", s.n_passed, s.n_failed);
    return s.n_failed || !there;
}
