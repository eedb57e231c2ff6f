/* Are the steps of a launch plan sound?  What is looked at here needs no check when they are run.
 */
#include "bundle/plan/plan.h"
#include "cpu_runtime/cpu_runtime.h"

enum {
    POINTERS_OF_LOOP = 3,
    MAX_NESTING = 256 /* steps are walked by recursion */
};

int rt_plan_has_host_steps(const struct sheaf_plan *p)
{
    return RT_PLAN_HAS(p, host_features) && p->n_host_kernels;
}

static int is_on_host(const struct sheaf_linked *l, uint32_t pointer)
{
    uint32_t area = l->info->plan->pointers[pointer].area;
    return area == SHEAF_AREA_HOST || area == SHEAF_AREA_HOST_CONSTANTS;
}

/* Whether the pointer leads to so many bytes, of whatever memory. */
static int has_room(const struct sheaf_linked *l, uint32_t pointer, uint64_t bytes)
{
    const struct sheaf_plan *p = l->info->plan;
    const uint64_t areas[RT_PLAN_AREAS] = {
        l->config->constantWeightVarsMemSize, l->config->mutableWeightVarsMemSize,
        l->config->activationsMemSize, rt_plan_has_host_steps(p) ? p->host_bytes : 0,
        l->config->constantWeightVarsMemSize};
    const struct sheaf_pointer *at = &p->pointers[pointer];
    return at->area < RT_PLAN_AREAS && at->offset <= areas[at->area] &&
           bytes <= areas[at->area] - at->offset;
}

/* Whether so many bytes lie there on the device, as a number of that size does; 0: any place of the
   area. */
static int lies_inside(const struct sheaf_linked *l, uint32_t pointer, size_t bytes)
{
    return !is_on_host(l, pointer) && has_room(l, pointer, bytes) &&
           (!bytes || l->info->plan->pointers[pointer].offset % bytes == 0);
}

static int is_nowhere(const struct sheaf_linked *l, uint32_t pointer)
{
    return l->info->plan->pointers[pointer].area == SHEAF_NO_AREA;
}

/* Whether the plan has so many pointers from there on. */
static int has_pointers(const struct sheaf_plan *p, uint32_t first, uint32_t n)
{
    return n <= p->n_pointers && first <= p->n_pointers - n;
}

/* A kernel of a Vector Engine finds the areas by itself. */
static int launch_is_sound(const struct sheaf_linked *l, const struct sheaf_step *s)
{
    const struct sheaf_plan *p = l->info->plan;
    if (s->kernel >= p->n_kernels)
        return 0;
    uint32_t n = p->device == SHEAF_DEVICE_VE ? 0 : p->kernels[s->kernel].n_parameters;
    if (!has_pointers(p, s->pointer, n))
        return 0;
    for (uint32_t i = 0; i < n; i++)
        if (!lies_inside(l, s->pointer + i, 0))
            return 0;
    return 1;
}

/* Constants are copied when a bundle is opened. */
static int copy_is_sound(const struct sheaf_linked *l, const struct sheaf_step *s)
{
    const struct sheaf_plan *p = l->info->plan;
    if (!rt_plan_has_host_steps(p) || s->count <= 0 || !has_pointers(p, s->pointer, 2))
        return 0;
    int n_host = 0, n_device = 0;
    for (uint32_t i = s->pointer; i < s->pointer + 2; i++) {
        uint32_t area = p->pointers[i].area;
        n_host += area == SHEAF_AREA_HOST;
        n_device += area == AREA_MUTABLES || area == AREA_ACTIVATIONS;
        if (!has_room(l, i, (uint64_t)s->count))
            return 0;
    }
    return n_host == 1 && n_device == 1;
}

static int host_call_is_sound(const struct sheaf_linked *l, const struct sheaf_step *s)
{
    const struct sheaf_plan *p = l->info->plan;
    if (!rt_plan_has_host_steps(p) || s->kernel >= p->n_host_kernels)
        return 0;
    uint32_t n = p->host_kernels[s->kernel].n_parameters;
    if (!has_pointers(p, s->pointer, n))
        return 0;
    for (uint32_t i = s->pointer; i < s->pointer + n; i++)
        if (!is_on_host(l, i) || !has_room(l, i, 0) ||
            p->pointers[i].offset % l->config->alignment != 0)
            return 0;
    return 1;
}

static int loop_is_sound(const struct sheaf_linked *l, const struct sheaf_step *s)
{
    const struct sheaf_plan *p = l->info->plan;
    if (!has_pointers(p, s->pointer, POINTERS_OF_LOOP))
        return 0;
    uint32_t rounds = s->pointer, condition = s->pointer + 1, number = s->pointer + 2;
    int is_known = s->count >= 0;
    return s->count >= -1 &&
           (is_nowhere(l, rounds) ? !is_known : lies_inside(l, rounds, sizeof(int64_t))) &&
           (is_nowhere(l, condition) || (!is_known && lies_inside(l, condition, 1))) &&
           lies_inside(l, number, sizeof(int64_t)) && p->pointers[number].area != 0;
}

/* The END or ELSE that the step leads to; 0 where it leads nowhere before `end`. */
static uint32_t lead(const struct sheaf_plan *p, uint32_t i, uint32_t end, int or_else)
{
    uint32_t to = p->steps[i].to;
    if (to <= i || to >= end)
        return 0;
    uint32_t kind = p->steps[to].kind;
    return kind == SHEAF_STEP_END || (or_else && kind == SHEAF_STEP_ELSE) ? to : 0;
}

/* Branches and loops nest, and lead to what ends them.  Returns the first step that is wrong, or
   `end`. */
static uint32_t check_steps(const struct sheaf_linked *l, uint32_t i, uint32_t end, int depth)
{
    const struct sheaf_plan *p = l->info->plan;
    while (i < end) {
        const struct sheaf_step *s = &p->steps[i];
        uint32_t to = 0, wrong;
        if ((s->kind == SHEAF_STEP_LAUNCH && launch_is_sound(l, s)) ||
            (s->kind == SHEAF_STEP_COPY && copy_is_sound(l, s)) ||
            (s->kind == SHEAF_STEP_HOST && host_call_is_sound(l, s))) {
            i++;
            continue;
        }
        if (s->kind == SHEAF_STEP_IF && has_pointers(p, s->pointer, 1) &&
            lies_inside(l, s->pointer, 1))
            to = lead(p, i, end, 1);
        else if (s->kind == SHEAF_STEP_LOOP && loop_is_sound(l, s))
            to = lead(p, i, end, 0);
        if (!to || depth == MAX_NESTING)
            return i;
        if ((wrong = check_steps(l, i + 1, to, depth + 1)) < to)
            return wrong;
        if (p->steps[to].kind == SHEAF_STEP_ELSE) {
            uint32_t otherwise = to;
            to = lead(p, otherwise, end, 0);
            if (!to)
                return otherwise;
            if ((wrong = check_steps(l, otherwise + 1, to, depth + 1)) < to)
                return wrong;
        }
        i = to + 1;
    }
    return end;
}

enum sheaf_status rt_plan_malformed(const struct sheaf_linked *l, const char *what, uint32_t at,
                                    struct sheaf_error *err)
{
    return rt_fail(err, SHEAF_ERROR_FORMAT, "%s: %s %u of the launch plan is malformed",
                   l->info->name, what, (unsigned)at);
}

/* Their code is for processors with what the bundle names. */
static enum sheaf_status check_host(const struct sheaf_linked *l, struct sheaf_error *err)
{
    const struct sheaf_plan *p = l->info->plan;
    if (!rt_plan_has_host_steps(p))
        return SHEAF_OK;
    if (!p->host_kernels || !p->host_features || p->host_bytes > SIZE_MAX / 2)
        return rt_fail(err, SHEAF_ERROR_FORMAT, "%s: the launch plan is incomplete", l->info->name);
    for (uint32_t i = 0; i < p->n_host_kernels; i++)
        if (!p->host_kernels[i].run)
            return rt_plan_malformed(l, "host kernel", i, err);
    size_t length;
    const char *missing = sheaf_cpu_missing_feature(p->host_features, &length);
    if (missing)
        return rt_fail(err, SHEAF_ERROR_PROCESSOR,
                       "%s: the bundle's steps on the host were compiled for processors with "
                       "'%.*s', which this one lacks",
                       l->info->name, (int)length, missing);
    if (!sheaf_cpu_permit(p->host_features))
        return rt_fail(err, SHEAF_ERROR_PROCESSOR,
                       "%s: the bundle's steps on the host need AMX's tile registers, which the "
                       "operating system did not permit this process to use",
                       l->info->name);
    return SHEAF_OK;
}

enum sheaf_status rt_plan_check_steps(const struct sheaf_linked *l, struct sheaf_error *err)
{
    enum sheaf_status status = check_host(l, err);
    if (status != SHEAF_OK)
        return status;
    uint32_t n = l->info->plan->n_steps, wrong = check_steps(l, 0, n, 0);
    return wrong == n ? SHEAF_OK : rt_plan_malformed(l, "step", wrong, err);
}
