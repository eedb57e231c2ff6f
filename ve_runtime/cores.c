/* Cores of a process, and which context has which. */
#include <stdlib.h>
#include <string.h>

#include "ve_runtime/context.h"

/* Whatever card it is. */
enum { CORES_OF_EACH_CARD = 8 };

struct veo_thr_ctxt *ve_first_core(const struct ve_context *c)
{
    return c->shared->core[c->core[0]].context;
}

/* AVEO would refuse, and say so to the standard error. */
static int environment_lets_open(const struct ve_shared *s)
{
    const char *threads = getenv("VE_OMP_NUM_THREADS");
    return s->n_cores == 0 || (threads && strtol(threads, NULL, 10) == 1);
}

static int open_core(struct ve_shared *s)
{
    if (!environment_lets_open(s))
        return 0;
    struct ve_core *core = &s->core[s->n_cores];
    core->context = s->driver.veo.veo_context_open(s->driver.process);
    s->n_cores += core->context != NULL;
    return core->context != NULL;
}

static uint32_t count_free(const struct ve_shared *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n_cores; i++)
        n += s->core[i].n_users == 0;
    return n;
}

/* Those that fewest contexts use, in the order of their numbers where there are several. */
static void choose(struct ve_shared *s, uint32_t n, uint32_t *out)
{
    int is_taken[SHEAF_VE_MAX_RANKS] = {0};
    for (uint32_t k = 0; k < n; k++) {
        uint32_t best = SHEAF_VE_MAX_RANKS;
        for (uint32_t i = 0; i < s->n_cores; i++)
            if (!is_taken[i] &&
                (best == SHEAF_VE_MAX_RANKS || s->core[i].n_users < s->core[best].n_users))
                best = i;
        is_taken[best] = 1;
        out[k] = best;
    }
}

static void add_users(struct ve_shared *s, const uint32_t *core, uint32_t n, int add)
{
    for (uint32_t i = 0; i < n; i++)
        s->core[core[i]].n_users += add;
}

/* Cores that nobody else uses, where they can be had. */
static int find(struct ve_shared *s, uint32_t n, uint32_t *out)
{
    uint32_t most = n > CORES_OF_EACH_CARD ? n : CORES_OF_EACH_CARD;
    while (count_free(s) < n && s->n_cores < most && open_core(s)) {
    }
    if (s->n_cores < n)
        return 0;
    choose(s, n, out);
    return 1;
}

static enum sheaf_status fail_cores(struct ve_shared *s, uint32_t n, struct sheaf_error *err)
{
    if (!environment_lets_open(s))
        return rt_fail(err, SHEAF_ERROR_DEVICE,
                       "%s: AVEO gives a process more than one core only where the environment has "
                       "VE_OMP_NUM_THREADS=1",
                       s->driver.bundle);
    return rt_fail(err, SHEAF_ERROR_DEVICE,
                   "%s: AVEO gives the process on the Vector Engine %u cores, not %u",
                   s->driver.bundle, (unsigned)s->n_cores, (unsigned)n);
}

enum sheaf_status ve_cores_take(struct ve_context *c, uint32_t n, struct sheaf_error *err)
{
    struct ve_shared *s = c->shared;
    uint32_t core[SHEAF_VE_MAX_RANKS];
    enum sheaf_status status = driver_check(&s->driver, err);
    if (status != SHEAF_OK)
        return status;
    pthread_mutex_lock(&s->lock);
    add_users(s, c->core, c->n_ranks, -1);
    if (find(s, n, core)) {
        memcpy(c->core, core, n * sizeof *core);
        c->n_ranks = n;
    } else {
        status = fail_cores(s, n, err);
    }
    add_users(s, c->core, c->n_ranks, 1);
    pthread_mutex_unlock(&s->lock);
    return status;
}

void ve_cores_leave(struct ve_context *c)
{
    pthread_mutex_lock(&c->shared->lock);
    add_users(c->shared, c->core, c->n_ranks, -1);
    c->n_ranks = 0;
    pthread_mutex_unlock(&c->shared->lock);
}
