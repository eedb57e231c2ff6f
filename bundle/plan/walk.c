/* Branches and loops of a launch plan. */
#include "bundle/plan/plan.h"

static int is_there(const struct rt_plan_walk *w, uint32_t pointer)
{
    return w->plan->pointers[pointer].area != SHEAF_NO_AREA;
}

static int run_steps(const struct rt_plan_walk *w, uint32_t i, uint32_t end);

static int run_branch(const struct rt_plan_walk *w, uint32_t i)
{
    const struct sheaf_step *s = &w->plan->steps[i], *otherwise = &w->plan->steps[s->to];
    uint8_t go = 0;
    int fault = w->read(w->device, s->pointer, &go, sizeof go);
    if (fault)
        return fault;
    if (go)
        return run_steps(w, i + 1, s->to);
    return otherwise->kind == SHEAF_STEP_ELSE ? run_steps(w, s->to + 1, otherwise->to) : 0;
}

static int run_loop(const struct rt_plan_walk *w, uint32_t i)
{
    const struct sheaf_step *s = &w->plan->steps[i];
    int64_t rounds = s->count;
    int fault = 0;
    if (rounds < 0 && is_there(w, s->pointer))
        fault = w->read(w->device, s->pointer, &rounds, sizeof rounds);
    for (int64_t round = 0; !fault; round++) {
        fault = w->set_round(w->device, s, round);
        if (is_there(w, s->pointer) && round >= rounds)
            break;
        if (!fault && is_there(w, s->pointer + 1)) {
            uint8_t go = 0;
            fault = w->read(w->device, s->pointer + 1, &go, sizeof go);
            if (!fault && !go)
                break;
        }
        if (!fault)
            fault = run_steps(w, i + 1, s->to);
    }
    return fault;
}

static uint32_t behind_block(const struct sheaf_plan *p, uint32_t i)
{
    const struct sheaf_step *s = &p->steps[i];
    if (s->kind == SHEAF_STEP_IF && p->steps[s->to].kind == SHEAF_STEP_ELSE)
        return p->steps[s->to].to + 1;
    return s->to + 1;
}

static int run_steps(const struct rt_plan_walk *w, uint32_t i, uint32_t end)
{
    int fault = 0;
    while (i < end && !fault) {
        const struct sheaf_step *s = &w->plan->steps[i];
        uint32_t next = i;
        fault = w->run(w->device, i, &next);
        if (!fault && next == i) {
            fault = s->kind == SHEAF_STEP_IF ? run_branch(w, i) : run_loop(w, i);
            next = behind_block(w->plan, i);
        }
        i = next;
    }
    return fault;
}

int rt_plan_walk(const struct rt_plan_walk *w)
{
    return run_steps(w, 0, w->plan->n_steps);
}
