/* Runs contexts in turn, and stops what goes wrong. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/ve_image.h"

static void set_fault(struct sim_ve_context *c, const char *what)
{
    char place[200], text[100] = "";
    ve_place(c->ve, c->pc, place, sizeof place);
    if (c->at)
        ve_text(c->at, text, sizeof text);
    snprintf(c->fault, sizeof c->fault, "context %u, %s: %s%s%s", c->number, place, text,
             c->at ? ": " : "", what);
    c->state = SIM_VE_FAULT;
}

_Noreturn void ve_stop(struct sim_ve_context *c, const char *fmt, ...)
{
    char what[SIM_VE_FAULT_CHARS];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    set_fault(c, what);
    longjmp(c->stop, 1);
}

/* ---- finding the instruction ---- */

static void compare_with_reference(struct sim_ve_context *c, const struct ve_insn *in)
{
    char own[100], theirs[100] = "";
    ve_text(in, own, sizeof own);
    if (!c->ve->options.reference(in->word, theirs, sizeof theirs))
        ve_stop(c, "is no instruction for the reference");
    if (strcmp(own, theirs) != 0)
        ve_stop(c, "reads '%s' in the reference", theirs);
}

static struct ve_insn *decode(struct sim_ve_context *c, struct ve_insn *in,
                              struct sim_ve_library *l)
{
    memcpy(&in->word, ve_reading(c, c->pc, sizeof in->word), sizeof in->word);
    const char *why = ve_decode(in);
    if (why) {
        uint64_t word = in->word;
        char theirs[100] = "";
        in->row = NULL;
        if (c->ve->options.reference && c->ve->options.reference(word, theirs, sizeof theirs))
            ve_stop(c, "the instruction 0x%016" PRIx64 " (%s) %s", word, theirs, why);
        ve_stop(c, "the instruction 0x%016" PRIx64 " %s", word, why);
    }
    in->function = ve_function_at(l, c->pc);
    if (!in->function)
        in->function = &c->ve->unknown;
    in->n_ran = &c->ve->n_ran[in->row - ve_rows];
    if (c->ve->options.reference) {
        c->at = in;
        compare_with_reference(c, in);
    }
    return in;
}

/* Instructions of the library that the context is in, all of it being decoded or to be. */
static struct ve_insn *fetch(struct sim_ve_context *c, struct sim_ve_library **l)
{
    if (!*l || c->pc - (*l)->code >= (*l)->code_bytes || c->pc % 8) {
        *l = ve_library_at(c->ve, c->pc);
        if (!*l || c->pc % 8) {
            uint64_t to = c->pc;
            c->pc = c->last_pc;
            ve_stop(c, "goes to 0x%" PRIx64 ", where no code is", to);
        }
    }
    struct ve_insn *in = &(*l)->insns[(c->pc - (*l)->code) / 8];
    if (!in->row) {
        c->at = NULL;
        decode(c, in, *l);
    }
    return in;
}

/* ---- running ---- */

/* The ABI's: those that a callee leaves as they were. */
static void check_saved(struct sim_ve_context *c)
{
    c->pc = c->last_pc;
    for (unsigned i = 0; i < VE_SCALARS; i++) {
        bool saved = i == VE_STACK_LIMIT || i == VE_FRAME || i == VE_STACK || (i >= 18 && i <= 33);
        if (saved && c->s[i] != c->at_call[i])
            ve_stop(c, "returns with %%s%u changed", i);
    }
}

static void end_call(struct sim_ve_context *c)
{
    check_saved(c);
    ve_time_end(c);
    c->state = SIM_VE_DONE;
}

/* Up to n instructions, or until another context may have to know. */
static uint64_t run_some(struct sim_ve_context *c, uint64_t n)
{
    struct sim_ve_library *l = NULL;
    uint64_t done = 0;
    while (done < n) {
        if (c->pc == c->at_call[VE_LINK]) {
            end_call(c);
            break;
        }
        struct ve_insn *in = fetch(c, &l);
        c->at = in;
        c->next = c->pc + 8;
        if (in->function != c->function)
            ve_time_enter(c, in->function);
        if (c->pc == in->function->address)
            in->function->stats.calls++;
        c->progress++;
        in->row->run(c, in);
        ve_time_step(c, in);
        ++*in->n_ran;
        c->last_pc = c->pc;
        c->pc = c->next;
        done++;
        c->n_run++;
        if (in->row->class == VE_ATOMICS || in->row->class == VE_FENCES)
            break;
    }
    return done;
}

/* What ran before a fault counts as well. */
static uint64_t run_guarded(struct sim_ve_context *c, uint64_t n)
{
    uint64_t before = c->n_run;
    if (setjmp(c->stop) == 0)
        run_some(c, n);
    else
        ve_time_end(c);
    return c->n_run - before;
}

/* The last one that was opened of those that do something; NULL: all wait. */
static struct sim_ve_context *choose_unfairly(const struct sim_ve *ve)
{
    enum { WAITS = 1000 }; /* instructions that change no memory */
    for (struct sim_ve_context *c = ve->contexts; c; c = c->next_open)
        if (c->state == SIM_VE_RUNNING && c->progress < WAITS)
            return c;
    return NULL;
}

static struct sim_ve_context *choose(const struct sim_ve *ve)
{
    struct sim_ve_context *best = ve->options.unfair ? choose_unfairly(ve) : NULL;
    if (best)
        return best;
    for (struct sim_ve_context *c = ve->contexts; c; c = c->next_open)
        if (c->state == SIM_VE_RUNNING &&
            (!best || c->clock.now < best->clock.now ||
             (c->clock.now == best->clock.now && c->number < best->number)))
            best = c;
    return best;
}

static bool all_spin(const struct sim_ve *ve)
{
    for (const struct sim_ve_context *c = ve->contexts; c; c = c->next_open)
        if (c->state == SIM_VE_RUNNING && c->progress < ve->options.spin_insns)
            return false;
    return true;
}

static void end_deadlock(struct sim_ve *ve)
{
    for (struct sim_ve_context *c = ve->contexts; c; c = c->next_open)
        if (c->state == SIM_VE_RUNNING) {
            set_fault(c, "waits for ever: no context that runs has changed memory for long");
            ve_time_end(c);
        }
}

uint64_t sim_ve_run(struct sim_ve *ve, struct sim_ve_context *context, uint64_t n_insns)
{
    uint64_t total = 0;
    while (!n_insns || total < n_insns) {
        struct sim_ve_context *c = choose(ve);
        if (!c || (context && context->state != SIM_VE_RUNNING))
            break;
        uint64_t n = ve->options.quantum;
        if (n_insns && n > n_insns - total)
            n = n_insns - total;
        total += run_guarded(c, n);
        if (c->progress >= ve->options.spin_insns && all_spin(ve))
            end_deadlock(ve);
    }
    return total;
}
