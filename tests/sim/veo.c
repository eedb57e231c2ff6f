/*
 * The simulated AVEO: processes, contexts with queues of requests, and failures, as AVEO's own
 * source shows them from outside: after the end of a process requests are not taken, those that
 * were become VEO_COMMAND_ERROR, and only the call that raised an exception tells of it.
 */
#define _POSIX_C_SOURCE 200809L /* mutexes */
#include "tests/sim/veo.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/ve.h"
#include "ve_runtime/veo.h"

#define VEO_EXPORT __attribute__((visibility("default")))

enum { API_VERSION = 16, DEFAULT_CORES = 8, SIGNAL_SEGV = 11 };
enum { INSNS_AHEAD = 1000, INSNS_OF_A_ROUND = 100000 };
static const uint64_t memory_bytes = UINT64_C(48) << 30;
/* A call that waits for others may have to wait for a thread of the host to add them: seconds. */
static const uint64_t spin_insns = UINT64_C(1) << 30;

struct veo_args {
    uint64_t value[SIM_VE_MAX_ARGS];
    size_t n;
};

enum request_kind { REQUEST_CALL, REQUEST_READ, REQUEST_WRITE };
enum request_stage { STAGE_QUEUED, STAGE_RUNNING, STAGE_DONE };

struct request {
    uint64_t id;
    enum request_kind kind;
    enum request_stage stage;
    uint64_t address; /* of the function or memory of the engine */
    void *host;
    size_t n_bytes;
    struct veo_args args;
    int state; /* once it is done */
    uint64_t result;
    struct request *next;
};

struct veo_thr_ctxt {
    struct veo_proc_handle *process;
    struct sim_ve_context *context;
    struct request *requests; /* in their order, until somebody has waited for them */
    struct veo_thr_ctxt *next, *previous;
};

struct veo_proc_handle {
    struct sim_ve *ve;
    bool has_ended;
    uint64_t n_contexts, max_contexts, n_requests;
    struct veo_thr_ctxt *first, *last;
    struct veo_proc_handle *next;
};

/* The n-th call of a function. */
struct point {
    char function[64];
    uint64_t left; /* 0: never */
};

static struct {
    struct point fail, lose;
    uint64_t exception;
    bool verbose;
    struct veo_proc_handle *processes;
    struct sim_veo_counters counters;
    char error[ERROR_TEXT_MAX];
} sim;

/* One thread after the other, in the order in which they come: one that waits for a request lets
   others add theirs, on which it may depend. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn = PTHREAD_COND_INITIALIZER;
static uint64_t n_come, n_gone;

static void lock(void)
{
    pthread_mutex_lock(&mutex);
    uint64_t mine = n_come++;
    while (mine != n_gone)
        pthread_cond_wait(&turn, &mutex);
    pthread_mutex_unlock(&mutex);
}

static void leave(void)
{
    pthread_mutex_lock(&mutex);
    n_gone++;
    pthread_cond_broadcast(&turn);
    pthread_mutex_unlock(&mutex);
}

/* ---- settings and failures ---- */

static void *need(void *p)
{
    if (!p)
        abort();
    return p;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *s = getenv(name);
    return s && *s ? strtoull(s, NULL, 0) : otherwise;
}

static struct point point_setting(const char *name)
{
    struct point p = {"", 0};
    const char *s = getenv(name), *space = s ? strchr(s, ' ') : NULL;
    if (space) {
        snprintf(p.function, sizeof p.function, "veo_%.*s", (int)(space - s), s);
        p.left = strtoull(space, NULL, 0);
    }
    return p;
}

static bool is_reached(struct point *p, const char *function)
{
    return p->left > 0 && strcmp(p->function, function) == 0 && --p->left == 0;
}

static void keep_error(const char *text)
{
    snprintf(sim.error, sizeof sim.error, "%s", text);
    if (sim.verbose)
        fprintf(stderr, "simulator: %s\n", text);
}

static void end_request(struct request *r, int state, uint64_t result)
{
    r->stage = STAGE_DONE;
    r->state = state;
    r->result = result;
    sim.counters.calls += r->kind == REQUEST_CALL;
}

static void end_process(struct veo_proc_handle *p)
{
    p->has_ended = true;
    for (struct veo_thr_ctxt *c = p->first; c; c = c->next)
        for (struct request *r = c->requests; r; r = r->next)
            if (r->stage != STAGE_DONE)
                end_request(r, VEO_COMMAND_ERROR, 0);
}

/* Locks.  False where the function is to fail. */
static bool enter(struct veo_proc_handle *p, const char *function)
{
    lock();
    if (is_reached(&sim.lose, function))
        end_process(p);
    return !is_reached(&sim.fail, function) && !p->has_ended;
}

/* ---- processes ---- */

VEO_EXPORT int veo_api_version(void)
{
    return (int)setting("SHEAF_SIM_VE_API", API_VERSION);
}

VEO_EXPORT const char *veo_version_string(void)
{
    return "simulator (not a device)";
}

/* -1 is what the environment says, 0 without it. */
static bool is_there(int node)
{
    if (node == VEO_NODE_OF_ENVIRONMENT)
        node = (int)setting("VE_NODE_NUMBER", 0);
    return node >= 0 && (uint64_t)node < setting("SHEAF_SIM_VE_NODES", 1);
}

/* LLVM's disassembler, counted. */
static bool print_instruction(uint64_t word, char *out_text, size_t size)
{
    sim.counters.compared++;
    return sim_ve_llvm_text(word, out_text, size);
}

static struct veo_proc_handle *create_process(void)
{
    struct veo_proc_handle *p = need(calloc(1, sizeof *p));
    p->ve = need(sim_ve_create(setting("SHEAF_SIM_VE_MEMORY", memory_bytes)));
    sim_ve_options(p->ve)->spin_insns = spin_insns;
    sim_ve_options(p->ve)->unwritten_faults = !setting("SHEAF_SIM_VE_UNWRITTEN", 0);
    uint32_t quantum = sim_ve_options(p->ve)->quantum;
    sim_ve_options(p->ve)->quantum = (uint32_t)setting("SHEAF_SIM_VE_QUANTUM", quantum);
    p->max_contexts = setting("SHEAF_SIM_VE_CORES", DEFAULT_CORES);
    sim_ve_options(p->ve)->unfair = setting("SHEAF_SIM_VE_UNFAIR", 0) != 0;
    if (setting("SHEAF_SIM_VE_CHECK", 1))
        sim_ve_options(p->ve)->reference = print_instruction;
    p->next = sim.processes;
    sim.processes = p;
    sim.counters.processes_created++;
    return p;
}

VEO_EXPORT struct veo_proc_handle *veo_proc_create(int node)
{
    struct veo_proc_handle *p = NULL;
    lock();
    sim.fail = point_setting("SHEAF_SIM_VE_FAIL");
    sim.lose = point_setting("SHEAF_SIM_VE_LOSE");
    sim.exception = setting("SHEAF_SIM_VE_EXCEPTION", 0);
    sim.verbose = setting("SHEAF_SIM_VE_VERBOSE", 0) != 0;
    if (is_there(node) && !is_reached(&sim.fail, __func__))
        p = create_process();
    leave();
    return p;
}

static void print_stats(struct veo_proc_handle *p)
{
    const char *path = getenv("SHEAF_SIM_VE_STATS");
    FILE *file = path && *path ? fopen(path, "a") : NULL;
    if (!file)
        return;
    sim_ve_print_stats(p->ve, file);
    fclose(file);
}

static void remove_request(struct veo_thr_ctxt *c, struct request *r)
{
    struct request **at = &c->requests;
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    free(r);
}

VEO_EXPORT int veo_proc_destroy(struct veo_proc_handle *process)
{
    lock();
    struct veo_proc_handle **at = &sim.processes;
    while (*at && *at != process)
        at = &(*at)->next;
    if (!*at) {
        leave();
        return -1;
    }
    *at = process->next;
    print_stats(process);
    while (process->first) {
        struct veo_thr_ctxt *c = process->first;
        process->first = c->next;
        while (c->requests)
            remove_request(c, c->requests);
        free(c);
    }
    sim_ve_destroy(process->ve);
    free(process);
    leave();
    return 0;
}

/* ---- code and memory ---- */

static uint8_t *read_file(const char *path, size_t *out_bytes)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    size_t n = 0, cap = 1 << 16;
    uint8_t *bytes = need(malloc(cap));
    for (size_t more; (more = fread(bytes + n, 1, cap - n, file)) > 0;) {
        n += more;
        if (n == cap)
            bytes = need(realloc(bytes, cap *= 2));
    }
    fclose(file);
    *out_bytes = n;
    return bytes;
}

VEO_EXPORT uint64_t veo_load_library(struct veo_proc_handle *process, const char *path)
{
    struct sim_ve_library *library = NULL;
    size_t n_bytes = 0;
    uint8_t *bytes = NULL;
    if (enter(process, __func__) && strlen(path) <= VEO_SYMNAME_LEN_MAX)
        bytes = read_file(path, &n_bytes);
    if (bytes) {
        struct error err;
        error_init(&err);
        library = sim_ve_load(process->ve, path, bytes, n_bytes, &err);
        if (!library)
            keep_error(err.text);
        sim.counters.library_loads++;
    }
    free(bytes);
    leave();
    return (uint64_t)(uintptr_t)library;
}

VEO_EXPORT uint64_t veo_get_sym(struct veo_proc_handle *process, uint64_t library, const char *name)
{
    const struct sim_ve_library *l = (const struct sim_ve_library *)(uintptr_t)library;
    bool ok = enter(process, __func__) && l && strlen(name) <= VEO_SYMNAME_LEN_MAX;
    uint64_t address = ok ? sim_ve_symbol(process->ve, l, name) : 0;
    leave();
    return address;
}

VEO_EXPORT int veo_alloc_mem(struct veo_proc_handle *process, uint64_t *out_address,
                             const size_t n_bytes)
{
    *out_address = enter(process, __func__) ? sim_ve_alloc(process->ve, n_bytes) : 0;
    leave();
    return *out_address ? 0 : -1;
}

VEO_EXPORT int veo_free_mem(struct veo_proc_handle *process, uint64_t address)
{
    bool ok = enter(process, __func__) && sim_ve_free(process->ve, address);
    leave();
    return ok ? 0 : -1;
}

/* ---- pointers with a mark ---- */

/* The number of the process among those that there are; the last is the first. */
VEO_EXPORT int veo_proc_identifier(struct veo_proc_handle *process)
{
    bool ok = enter(process, __func__);
    int n = ok ? 0 : -1;
    for (const struct veo_proc_handle *p = process->next; ok && p; p = p->next)
        n++;
    leave();
    return n;
}

static struct veo_proc_handle *process_of(const void *pointer)
{
    uint64_t number = ((uint64_t)(uintptr_t)pointer & ~VEO_HMEM_ENGINE) >> VEO_HMEM_PROCESS_SHIFT;
    struct veo_proc_handle *p = sim.processes;
    uint64_t n = 0;
    for (const struct veo_proc_handle *q = p; q; q = q->next)
        n++;
    for (; p && number + 1 < n; n--)
        p = p->next;
    return p;
}

VEO_EXPORT int veo_alloc_hmem(struct veo_proc_handle *process, void **out, const size_t n_bytes)
{
    uint64_t address = 0, number = (uint64_t)veo_proc_identifier(process);
    int status = veo_alloc_mem(process, &address, n_bytes);
    address |= VEO_HMEM_ENGINE | number << VEO_HMEM_PROCESS_SHIFT;
    *out = status == 0 ? (void *)(uintptr_t)address : NULL;
    return status;
}

VEO_EXPORT int veo_free_hmem(void *pointer)
{
    return veo_free_mem(process_of(pointer), (uint64_t)(uintptr_t)pointer & VEO_HMEM_ADDRESS);
}

static bool is_marked(const void *pointer)
{
    return ((uint64_t)(uintptr_t)pointer & VEO_HMEM_ENGINE) != 0;
}

VEO_EXPORT int veo_hmemcpy(void *to, const void *from, size_t n_bytes)
{
    struct veo_proc_handle *p = process_of(is_marked(to) ? to : from);
    struct error err;
    uint8_t *bytes = need(malloc(n_bytes + 1));
    bool ok = enter(p, __func__);
    error_init(&err);
    if (is_marked(from))
        ok = ok && p == process_of(from) &&
             sim_ve_read(p->ve, bytes, (uint64_t)(uintptr_t)from & VEO_HMEM_ADDRESS, n_bytes, &err);
    else
        memcpy(bytes, from, n_bytes);
    if (is_marked(to))
        ok = ok &&
             sim_ve_write(p->ve, (uint64_t)(uintptr_t)to & VEO_HMEM_ADDRESS, bytes, n_bytes, &err);
    else if (ok)
        memcpy(to, bytes, n_bytes);
    leave();
    free(bytes);
    return ok ? 0 : -1;
}

/* ---- contexts ---- */

/* AVEO lets a process have several only where OpenMP has one thread. */
static bool may_open(const struct veo_proc_handle *p)
{
    return p->n_contexts < p->max_contexts &&
           (p->n_contexts == 0 || setting("VE_OMP_NUM_THREADS", 0) == 1);
}

VEO_EXPORT struct veo_thr_ctxt *veo_context_open(struct veo_proc_handle *process)
{
    struct veo_thr_ctxt *c = NULL;
    bool ok = enter(process, __func__) && may_open(process);
    struct sim_ve_context *context = ok ? sim_ve_open(process->ve, 0) : NULL;
    if (context) {
        c = need(calloc(1, sizeof *c));
        *c = (struct veo_thr_ctxt){
            .process = process, .context = context, .previous = process->last};
        *(process->last ? &process->last->next : &process->first) = c;
        process->last = c;
        if (++process->n_contexts > sim.counters.most_contexts)
            sim.counters.most_contexts = process->n_contexts;
    }
    leave();
    return c;
}

VEO_EXPORT int veo_get_context_state(struct veo_thr_ctxt *context)
{
    lock();
    int state = context->process->has_ended ? VEO_STATE_EXIT : VEO_STATE_RUNNING;
    leave();
    return state;
}

VEO_EXPORT struct veo_args *veo_args_alloc(void)
{
    lock();
    struct veo_args *args = is_reached(&sim.fail, __func__) ? NULL : need(calloc(1, sizeof *args));
    sim.counters.args += args != NULL;
    leave();
    return args;
}

VEO_EXPORT int veo_args_set_u64(struct veo_args *args, int i, uint64_t value)
{
    lock();
    bool ok = !is_reached(&sim.fail, __func__) && i >= 0 && i < SIM_VE_MAX_ARGS;
    if (ok) {
        args->value[i] = value;
        if ((size_t)i >= args->n)
            args->n = (size_t)i + 1;
    }
    leave();
    return ok ? 0 : -1;
}

VEO_EXPORT void veo_args_free(struct veo_args *args)
{
    lock();
    sim.counters.args--;
    free(args);
    leave();
}

/* ---- requests ---- */

/* The first that is not done; NULL: there is none. */
static struct request *pending(const struct veo_thr_ctxt *c)
{
    struct request *r = c->requests;
    while (r && r->stage == STAGE_DONE)
        r = r->next;
    return r;
}

static void raise_exception(struct veo_thr_ctxt *c, struct request *r, const char *fault)
{
    keep_error(fault);
    end_request(r, VEO_COMMAND_EXCEPTION, SIGNAL_SEGV);
    end_process(c->process);
}

static void do_copy(struct veo_thr_ctxt *c, struct request *r)
{
    struct error err;
    error_init(&err);
    bool to_device = r->kind == REQUEST_WRITE;
    bool ok = to_device ? sim_ve_write(c->process->ve, r->address, r->host, r->n_bytes, &err)
                        : sim_ve_read(c->process->ve, r->host, r->address, r->n_bytes, &err);
    if (!ok) {
        raise_exception(c, r, err.text);
        return;
    }
    *(to_device ? &sim.counters.copies_to_device : &sim.counters.copies_to_host) += 1;
    *(to_device ? &sim.counters.bytes_to_device : &sim.counters.bytes_to_host) += r->n_bytes;
    end_request(r, VEO_COMMAND_OK, 0);
}

/* One step of a context; whether it did anything.  A call goes on with the others'. */
static bool step(struct veo_thr_ctxt *c)
{
    struct request *r = pending(c);
    if (!r)
        return false;
    if (r->kind != REQUEST_CALL) {
        do_copy(c, r);
    } else if (r->stage == STAGE_QUEUED) {
        if (sim.exception > 0 && --sim.exception == 0) {
            raise_exception(c, r, "this call was told to end with an exception");
            return true;
        }
        sim_ve_call(c->context, r->address, r->args.value, r->args.n);
        r->stage = STAGE_RUNNING;
    } else if (sim_ve_state(c->context) == SIM_VE_DONE) {
        end_request(r, VEO_COMMAND_OK, sim_ve_result(c->context));
    } else if (sim_ve_state(c->context) == SIM_VE_FAULT) {
        raise_exception(c, r, sim_ve_fault(c->context));
    } else {
        return false;
    }
    return true;
}

/* The last context goes ahead of the others: a client must not rely on the order of what it has put
   into several queues. */
static void advance(struct veo_proc_handle *p)
{
    bool any = false;
    for (struct veo_thr_ctxt *c = p->last; c && !p->has_ended; c = c->previous)
        if (step(c)) {
            any = true;
            sim_ve_run(p->ve, NULL, INSNS_AHEAD);
        }
    if (!any && !p->has_ended)
        sim_ve_run(p->ve, NULL, INSNS_OF_A_ROUND);
}

static uint64_t submit(struct veo_thr_ctxt *c, const char *function, const struct request *request)
{
    uint64_t id = VEO_REQUEST_ID_INVALID;
    if (enter(c->process, function)) {
        struct request *r = need(malloc(sizeof *r));
        *r = *request;
        id = r->id = c->process->n_requests++;
        struct request **at = &c->requests;
        while (*at)
            at = &(*at)->next;
        *at = r;
    }
    leave();
    return id;
}

VEO_EXPORT uint64_t veo_call_async(struct veo_thr_ctxt *context, uint64_t function,
                                   struct veo_args *args)
{
    struct request r = {.kind = REQUEST_CALL, .address = function, .args = *args};
    return submit(context, __func__, &r);
}

VEO_EXPORT uint64_t veo_async_read_mem(struct veo_thr_ctxt *context, void *to, uint64_t from,
                                       size_t n_bytes)
{
    struct request r = {.kind = REQUEST_READ, .address = from, .host = to, .n_bytes = n_bytes};
    return submit(context, __func__, &r);
}

VEO_EXPORT uint64_t veo_async_write_mem(struct veo_thr_ctxt *context, uint64_t to, const void *from,
                                        size_t n_bytes)
{
    struct request r = {
        .kind = REQUEST_WRITE, .address = to, .host = (void *)(uintptr_t)from, .n_bytes = n_bytes};
    return submit(context, __func__, &r);
}

VEO_EXPORT int veo_call_wait_result(struct veo_thr_ctxt *context, uint64_t request,
                                    uint64_t *out_result)
{
    bool ok = enter(context->process, __func__);
    struct request *r = context->requests;
    while (r && r->id != request)
        r = r->next;
    int state = VEO_COMMAND_ERROR;
    if (r) {
        while (r->stage != STAGE_DONE) {
            advance(context->process);
            leave();
            lock();
        }
        if (ok || context->process->has_ended)
            state = r->state;
        *out_result = r->result;
        remove_request(context, r);
    }
    leave();
    return state;
}

/* ---- what AVEO does not have ---- */

VEO_EXPORT const char *sim_veo_error(void)
{
    return sim.error;
}

VEO_EXPORT void sim_veo_counters(struct sim_veo_counters *out)
{
    lock();
    *out = sim.counters;
    for (const struct veo_proc_handle *p = sim.processes; p; p = p->next) {
        out->processes++;
        out->contexts += p->n_contexts;
        out->allocations += sim_ve_allocations(p->ve);
        out->bytes += sim_ve_bytes_in_use(p->ve);
        for (const struct veo_thr_ctxt *c = p->first; c; c = c->next)
            for (const struct request *r = c->requests; r; r = r->next)
                out->requests++;
    }
    leave();
}
