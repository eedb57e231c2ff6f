/* Images, contexts and their calls. */
#include "tests/sim/ve.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/ve_image.h"

/* Where a call returns to; no code lies there. */
#define RETURN_TO (VE_BASE - 8)
/* What registers hold that a call has not set. */
#define NO_VALUE UINT64_C(0xdeadbeefdeadbeef)

enum {
    CLIENT_ALIGN = 64,  /* of glibc's large blocks: to 16 bytes, */
    CLIENT_OFFSET = 16, /* and never to more */
    STACK_BYTES = 1 << 20,
    RESERVED_ARGS = 176, /* between sp and the first argument: VE ABI, "Stack frame" */
    THREAD_BYTES = 256   /* above a stack: what the thread pointer shows */
};

/* ---- images and their memory ---- */

struct sim_ve *sim_ve_create(uint64_t limit_bytes)
{
    struct sim_ve *ve = calloc(1, sizeof *ve);
    if (!ve)
        return NULL;
    ve->options =
        (struct sim_ve_options){.unwritten_faults = true, .quantum = 1000, .spin_insns = 20000000};
    ve->unknown.stats.name = "?";
    ve->n_ran = calloc(ve_n_rows, sizeof *ve->n_ran);
    if (!ve->n_ran || !ve_memory_init(&ve->memory, limit_bytes)) {
        free(ve->n_ran);
        free(ve);
        return NULL;
    }
    return ve;
}

void sim_ve_destroy(struct sim_ve *ve)
{
    if (!ve)
        return;
    while (ve->contexts)
        sim_ve_close(ve->contexts);
    ve_free_libraries(ve);
    ve_memory_done(&ve->memory);
    free(ve->n_ran);
    free(ve->stats);
    free(ve);
}

struct sim_ve_options *sim_ve_options(struct sim_ve *ve)
{
    return &ve->options;
}

uint64_t sim_ve_alloc(struct sim_ve *ve, uint64_t n_bytes)
{
    return ve_memory_alloc(&ve->memory, n_bytes, CLIENT_ALIGN, CLIENT_OFFSET, VE_OWNER_CLIENT);
}

bool sim_ve_free(struct sim_ve *ve, uint64_t address)
{
    const struct ve_area *a = ve_memory_near(&ve->memory, address);
    return a && a->owner == VE_OWNER_CLIENT && ve_memory_free(&ve->memory, address);
}

static bool check_range(const struct sim_ve *ve, const char *does, uint64_t address,
                        uint64_t n_bytes, struct error *err)
{
    if (n_bytes == 0 || ve_memory_holds(&ve->memory, address, n_bytes))
        return true;
    return error_set(err, SHEAF_ERROR_ARGUMENT,
                     "the host %s %" PRIu64 " bytes at 0x%" PRIx64
                     ", which are not all in one area",
                     does, n_bytes, address);
}

bool sim_ve_write(struct sim_ve *ve, uint64_t to, const void *from, uint64_t n_bytes,
                  struct error *err)
{
    if (!check_range(ve, "writes", to, n_bytes, err))
        return false;
    ve_memory_put(&ve->memory, to, from, n_bytes);
    return true;
}

bool sim_ve_read(const struct sim_ve *ve, void *to, uint64_t from, uint64_t n_bytes,
                 struct error *err)
{
    if (!check_range(ve, "reads", from, n_bytes, err))
        return false;
    if (n_bytes)
        memcpy(to, ve->memory.bytes + (from - VE_BASE), n_bytes);
    return true;
}

uint64_t sim_ve_bytes_in_use(const struct sim_ve *ve)
{
    return ve->memory.in_use_bytes;
}

uint64_t sim_ve_allocations(const struct sim_ve *ve)
{
    return ve->memory.n_client;
}

/* ---- contexts ---- */

struct sim_ve_context *sim_ve_open(struct sim_ve *ve, uint64_t stack_bytes)
{
    bool taken[SIM_VE_MAX_CONTEXTS] = {false};
    unsigned number = 0;
    for (struct sim_ve_context *c = ve->contexts; c; c = c->next_open)
        taken[c->number] = true;
    while (number < SIM_VE_MAX_CONTEXTS && taken[number])
        number++;
    struct sim_ve_context *c = number < SIM_VE_MAX_CONTEXTS ? calloc(1, sizeof *c) : NULL;
    if (!c)
        return NULL;
    c->ve = ve;
    c->number = number;
    c->stack_bytes = stack_bytes ? (stack_bytes + 15) / 16 * 16 : STACK_BYTES;
    c->stack = ve_memory_alloc(&ve->memory, c->stack_bytes + THREAD_BYTES, 4096, 0, VE_OWNER_STACK);
    if (!c->stack) {
        free(c);
        return NULL;
    }
    memset(c->vm[0], 0xff, sizeof c->vm[0]);
    c->next_open = ve->contexts;
    ve->contexts = c;
    return c;
}

void sim_ve_close(struct sim_ve_context *context)
{
    if (!context)
        return;
    struct sim_ve_context **at = &context->ve->contexts;
    while (*at != context)
        at = &(*at)->next_open;
    *at = context->next_open;
    ve_memory_free(&context->ve->memory, context->stack);
    free(context);
}

uint64_t sim_ve_push(struct sim_ve_context *context, uint64_t n_bytes)
{
    uint64_t n = (n_bytes + 15) / 16 * 16;
    if (n_bytes > context->stack_bytes || n > context->stack_bytes / 2 - context->pushed)
        return 0;
    context->pushed += n;
    return context->stack + context->stack_bytes - context->pushed;
}

/* All contexts that are called while others run have started when those did. */
static double start_of_call(const struct sim_ve *ve)
{
    double latest = 0, started = -1;
    for (const struct sim_ve_context *c = ve->contexts; c; c = c->next_open) {
        if (c->clock.now > latest)
            latest = c->clock.now;
        if (c->state == SIM_VE_RUNNING)
            started = c->started;
    }
    return started < 0 ? latest : started;
}

static void clear_registers(struct sim_ve_context *c)
{
    double now = start_of_call(c->ve);
    c->clock = (struct ve_clock){.now = now, .vector_until = now};
    c->started = now;
    c->function = NULL;
    for (unsigned i = 0; i < VE_SCALARS; i++)
        c->s[i] = NO_VALUE - i;
    memset(c->written, 0, sizeof c->written);
    c->vl = 0;
}

void sim_ve_call(struct sim_ve_context *context, uint64_t address, const uint64_t *args,
                 size_t n_args)
{
    struct sim_ve_context *c = context;
    struct ve_memory *m = &c->ve->memory;
    assert(c->state != SIM_VE_RUNNING && n_args <= SIM_VE_MAX_ARGS);
    static const uint8_t zeros[THREAD_BYTES];
    clear_registers(c);
    uint64_t top = c->stack + c->stack_bytes;
    uint64_t sp = (top - c->pushed - RESERVED_ARGS - 8 * SIM_VE_MAX_ARGS) / 16 * 16;
    ve_memory_put(m, top, zeros, sizeof zeros);
    c->s[VE_STACK] = c->s[VE_FRAME] = sp;
    c->s[VE_STACK_LIMIT] = c->stack;
    c->s[VE_LINK] = RETURN_TO;
    c->s[VE_CALLEE] = address;
    c->s[VE_THREAD] = top;
    for (size_t i = 0; i < n_args; i++) {
        ve_memory_put(m, sp + RESERVED_ARGS + 8 * i, &args[i], 8);
        if (i < SIM_VE_REGISTER_ARGS)
            c->s[i] = args[i];
    }
    memcpy(c->at_call, c->s, sizeof c->at_call);
    ve_memory_unwritten_faults(m, c->ve->options.unwritten_faults);
    c->pc = c->last_pc = address;
    c->fault[0] = 0;
    c->progress = 0;
    c->pushed = 0;
    c->state = SIM_VE_RUNNING;
}

enum sim_ve_state sim_ve_state(const struct sim_ve_context *context)
{
    return context->state;
}

uint64_t sim_ve_result(const struct sim_ve_context *context)
{
    return context->s[0];
}

const char *sim_ve_fault(const struct sim_ve_context *context)
{
    return context->fault;
}
