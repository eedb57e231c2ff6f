/*
 * The simulated driver: streams, events, and captures into graphs.
 *
 * Work is done at once, or, where SHEAF_SIM_DEFER says so, not before something waits for it, so
 * that a client that does not wait finds old bytes.  A graph is a list of work in the order in
 * which it was captured, which is one of those that its edges allow.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/sim/cuda_state.h"

/* ---- doing work ---- */

void cuda_release_op(struct op *op)
{
    if (!op->shared)
        free(op->data);
}

static void push_op(struct op **ops, size_t *n, size_t *cap, const struct op *op)
{
    if (*n == *cap) {
        *cap = *cap ? 2 * *cap : 16;
        *ops = cuda_need(realloc(*ops, *cap * sizeof **ops));
    }
    (*ops)[(*n)++] = *op;
}

static CUresult run_launch(const struct op *op)
{
    struct cuda_state *c = &cuda_state;
    uint64_t n_insns = 0;
    enum ptx_fault fault = PTX_FAULT_OTHER;
    struct error err;
    c->counters.launches++;
    c->counters.cooperative_launches += op->launch.cooperative;
    error_init(&err);
    if (c->fail_launch > 0 && --c->fail_launch == 0)
        error_set(&err, SHEAF_ERROR_DEVICE, "kernel '%s': this launch was told to fail",
                  op->launch.kernel->name);
    else
        fault = ptx_run(&op->launch, &n_insns, &err);
    c->counters.instructions += n_insns;
    if (fault == PTX_OK)
        return CUDA_SUCCESS;
    c->sticky = fault == PTX_FAULT_ADDRESS     ? CUDA_ERROR_ILLEGAL_ADDRESS
                : fault == PTX_FAULT_ALIGNMENT ? CUDA_ERROR_MISALIGNED_ADDRESS
                                               : CUDA_ERROR_LAUNCH_FAILED;
    return cuda_fail(&err, c->sticky);
}

static double now_ms(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static CUresult do_op(const struct op *op)
{
    struct sim_counters *n = &cuda_state.counters;
    struct ptx_memory *m = cuda_state.memory;
    switch (op->kind) {
    case OP_TO_DEVICE:
        ptx_memory_write(m, op->to, op->data ? op->data : op->host, op->n);
        n->copies_to_device++;
        n->bytes_to_device += op->n;
        return CUDA_SUCCESS;
    case OP_TO_HOST:
        ptx_memory_read(m, op->host, op->from, op->n);
        n->copies_to_host++;
        n->bytes_to_host += op->n;
        return CUDA_SUCCESS;
    case OP_ON_DEVICE:
        ptx_memory_copy(m, op->to, op->from, op->n);
        n->copies_on_device++;
        return CUDA_SUCCESS;
    case OP_FILL:
        ptx_memory_fill(m, op->to, op->value, op->value_bytes, op->n);
        n->fills++;
        return CUDA_SUCCESS;
    case OP_LAUNCH:
        return run_launch(op);
    case OP_CALL:
        op->function(op->host);
        n->host_calls++;
        return CUDA_SUCCESS;
    case OP_RECORD:
        op->event->ms = now_ms();
        return CUDA_SUCCESS;
    default:
        return op->awaited ? cuda_finish(op->awaited, op->awaited_end) : CUDA_SUCCESS;
    }
}

/* Does what the stream has until it has done `end` pieces of work. */
CUresult cuda_finish(struct CUstream_st *s, uint64_t end)
{
    if (s->running)
        return CUDA_SUCCESS; /* it waits for itself, through others: done already up to there */
    s->running = true;
    CUresult r = cuda_state.sticky;
    while (!r && s->n_ops > 0 && s->n_done < end) {
        struct op op = s->ops[0];
        memmove(s->ops, s->ops + 1, --s->n_ops * sizeof *s->ops);
        r = do_op(&op);
        s->n_done++;
        cuda_release_op(&op);
    }
    s->running = false;
    return r;
}

CUresult cuda_finish_all(void)
{
    CUresult r = cuda_state.sticky;
    for (struct CUstream_st *s = cuda_state.streams; s && !r; s = s->next)
        r = cuda_finish(s, UINT64_MAX);
    return r ? r : cuda_finish(&cuda_state.legacy, UINT64_MAX);
}

/* The legacy stream waits for all others, and they for it; those that do not block are left out. */
static CUresult finish_blocking(void)
{
    CUresult r = CUDA_SUCCESS;
    for (struct CUstream_st *s = cuda_state.streams; s && !r; s = s->next)
        if (!(s->flags & CU_STREAM_NON_BLOCKING))
            r = cuda_finish(s, UINT64_MAX);
    return r;
}

/* Memory that is not pinned is read when the call is made, as the driver does. */
static void stage(struct op *op)
{
    if (op->kind != OP_TO_DEVICE || !cuda_state.defer || cuda_find_host(op->host))
        return;
    op->data = cuda_need(malloc(op->n + 1));
    memcpy(op->data, op->host, op->n);
}

/* Its other name (CUDA driver API, CU_STREAM_LEGACY). */
CUstream cuda_without_legacy(CUstream stream)
{
    return (uintptr_t)stream == 1 ? NULL : stream;
}

CUresult cuda_submit(struct CUstream_st *s, const struct op *op)
{
    struct op own = *op;
    s = cuda_without_legacy(s);
    if (s && s->capture) {
        s->joined = false;
        push_op(&s->capture->ops, &s->capture->n_ops, &s->capture->cap_ops, &own);
        return CUDA_SUCCESS;
    }
    CUresult r = s ? CUDA_SUCCESS : finish_blocking();
    if (r)
        return r;
    cuda_state.counters.queued += !own.shared;
    stage(&own);
    bool now = !cuda_state.defer || !s;
    s = s ? s : &cuda_state.legacy;
    push_op(&s->ops, &s->n_ops, &s->cap_ops, &own);
    return now ? cuda_finish(s, UINT64_MAX) : CUDA_SUCCESS;
}

/* Its address tells the thread. */
static _Thread_local char this_thread;

/* Captures of other threads forbid something only in the global mode. */
CUresult cuda_check_capture(void)
{
    for (const struct CUstream_st *s = cuda_state.streams; s; s = s->next)
        if (s->capture && s->origin == s &&
            (s->capture_mode == CU_STREAM_CAPTURE_MODE_GLOBAL ||
             (s->capture_mode == CU_STREAM_CAPTURE_MODE_THREAD_LOCAL &&
              s->capture_thread == &this_thread)))
            return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    return CUDA_SUCCESS;
}

/* ---- streams ---- */

static CUresult check_stream(const struct CUstream_st *s)
{
    const struct CUstream_st *known = cuda_state.streams;
    while (s && known && known != s)
        known = known->next;
    return !s || (known && !s->destroyed) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

/* *stream becomes NULL where it is the legacy one. */
static CUresult enter_stream(CUstream *stream)
{
    CUresult r = cuda_enter();
    *stream = cuda_without_legacy(*stream);
    return r ? r : check_stream(*stream);
}

CUDA_EXPORT CUresult cuStreamCreate(CUstream *out_stream, unsigned flags)
{
    CUresult r = cuda_enter();
    if (!r)
        r = cuda_check_memory();
    if (r || flags > CU_STREAM_NON_BLOCKING)
        return cuda_unlock(r ? r : CUDA_ERROR_INVALID_VALUE);
    struct CUstream_st *s = cuda_need(calloc(1, sizeof *s));
    s->flags = flags;
    s->next = cuda_state.streams;
    cuda_state.streams = s;
    *out_stream = s;
    return cuda_unlock(CUDA_SUCCESS);
}

CUDA_EXPORT CUresult cuStreamSynchronize(CUstream stream)
{
    CUresult r = enter_stream(&stream);
    if (!r && stream && stream->capture)
        r = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    cuda_state.counters.synchronizations++;
    if (!r)
        r = stream ? cuda_finish(stream, UINT64_MAX) : cuda_finish_all();
    return cuda_unlock(r);
}

CUDA_EXPORT CUresult cuCtxSynchronize(void)
{
    CUresult r = cuda_enter();
    if (!r)
        r = cuda_check_capture();
    cuda_state.counters.synchronizations++;
    return cuda_unlock(r ? r : cuda_finish_all());
}

/* What is in it is still done. */
CUDA_EXPORT CUresult cuStreamDestroy_v2(CUstream stream)
{
    CUresult r = enter_stream(&stream);
    if (r == CUDA_ERROR_INVALID_HANDLE || r == CUDA_ERROR_INVALID_CONTEXT || !stream)
        return cuda_unlock(r ? r : CUDA_ERROR_INVALID_HANDLE);
    if (!r)
        r = cuda_finish(stream, UINT64_MAX);
    stream->destroyed = true;
    return cuda_unlock(r);
}

/* ---- events ---- */

CUDA_EXPORT CUresult cuEventCreate(CUevent *out_event, unsigned flags)
{
    CUresult r = cuda_enter();
    if (!r)
        r = cuda_check_memory();
    if (r)
        return cuda_unlock(r);
    struct CUevent_st *e = cuda_need(calloc(1, sizeof *e));
    e->flags = flags;
    e->next = cuda_state.events;
    cuda_state.events = e;
    *out_event = e;
    return cuda_unlock(CUDA_SUCCESS);
}

CUDA_EXPORT CUresult cuEventDestroy_v2(CUevent event)
{
    cuda_lock();
    event->destroyed = true;
    return cuda_unlock(CUDA_SUCCESS);
}

CUDA_EXPORT CUresult cuEventRecord(CUevent event, CUstream stream)
{
    CUresult r = enter_stream(&stream);
    if (r)
        return cuda_unlock(r);
    event->captured = NULL;
    if (stream && stream->capture) {
        event->captured = stream;
        event->captured_at = stream->capture->n_ops;
        return cuda_unlock(CUDA_SUCCESS);
    }
    struct CUstream_st *s = stream ? stream : &cuda_state.legacy;
    event->stream = s;
    event->end = s->n_done + s->n_ops + 1;
    struct op op = {.kind = OP_RECORD, .event = event};
    return cuda_unlock(cuda_submit(stream, &op));
}

/* A stream that waits for work of a capture becomes part of it. */
static CUresult join_capture(CUstream stream, const struct CUevent_st *event)
{
    struct CUstream_st *from = event->captured;
    if (!from->capture)
        return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    if (stream->capture && stream->capture != from->capture)
        return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    if (!stream->capture) {
        stream->capture = from->capture;
        stream->origin = from->origin;
    }
    stream->joined = false;
    from->joined = true;
    return CUDA_SUCCESS;
}

CUDA_EXPORT CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned flags)
{
    CUresult r = enter_stream(&stream);
    if (r || flags)
        return cuda_unlock(r ? r : CUDA_ERROR_INVALID_VALUE);
    if (event->captured)
        return cuda_unlock(stream ? join_capture(stream, event) : CUDA_ERROR_INVALID_VALUE);
    struct op op = {.kind = OP_WAIT, .awaited = event->stream, .awaited_end = event->end};
    return cuda_unlock(cuda_submit(stream, &op));
}

CUDA_EXPORT CUresult cuEventSynchronize(CUevent event)
{
    CUresult r = cuda_enter();
    if (!r && event->captured)
        r = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    cuda_state.counters.synchronizations++;
    if (!r && event->stream)
        r = cuda_finish(event->stream, event->end);
    return cuda_unlock(r);
}

CUDA_EXPORT CUresult cuEventElapsedTime(float *out_ms, CUevent start, CUevent end)
{
    CUresult r = cuda_enter();
    if (r)
        return cuda_unlock(r);
    if (!start->stream || !end->stream || (start->flags | end->flags) & CU_EVENT_DISABLE_TIMING)
        return cuda_unlock(CUDA_ERROR_INVALID_HANDLE);
    if (start->stream->n_done < start->end || end->stream->n_done < end->end)
        return cuda_unlock(CUDA_ERROR_NOT_READY);
    *out_ms = (float)(end->ms - start->ms);
    return cuda_unlock(CUDA_SUCCESS);
}

/* ---- captures and graphs ---- */

CUDA_EXPORT CUresult cuStreamBeginCapture_v2(CUstream stream, int mode)
{
    CUresult r = enter_stream(&stream);
    if (r || !stream || stream->capture || mode < 0 || mode > CU_STREAM_CAPTURE_MODE_RELAXED)
        return cuda_unlock(r         ? r
                           : !stream ? CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED
                                     : CUDA_ERROR_INVALID_VALUE);
    stream->capture = cuda_need(calloc(1, sizeof *stream->capture));
    stream->capture->n_users = 1;
    stream->capture_mode = mode;
    stream->capture_thread = &this_thread;
    stream->origin = stream;
    cuda_state.counters.graphs++;
    return cuda_unlock(CUDA_SUCCESS);
}

static void release_graph(struct CUgraph_st *g)
{
    if (--g->n_users > 0)
        return;
    for (size_t i = 0; i < g->n_ops; i++)
        cuda_release_op(&g->ops[i]);
    free(g->ops);
    free(g);
    cuda_state.counters.graphs--;
}

CUDA_EXPORT CUresult cuStreamEndCapture(CUstream stream, CUgraph *out_graph)
{
    CUresult r = enter_stream(&stream);
    *out_graph = NULL;
    if (r || !stream || stream->origin != stream || !stream->capture)
        return cuda_unlock(r ? r : CUDA_ERROR_STREAM_CAPTURE_UNMATCHED);
    struct CUgraph_st *g = stream->capture;
    for (struct CUstream_st *s = cuda_state.streams; s; s = s->next) {
        if (s->capture != g)
            continue;
        if (s != stream && !s->joined)
            r = CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
        s->capture = NULL;
        s->origin = NULL;
    }
    if (r)
        release_graph(g);
    else
        *out_graph = g;
    return cuda_unlock(r);
}

CUDA_EXPORT CUresult cuGraphInstantiateWithFlags(CUgraphExec *out_exec, CUgraph graph,
                                                 unsigned long long flags)
{
    CUresult r = cuda_enter();
    if (!r)
        r = cuda_check_memory();
    if (r || flags || !graph)
        return cuda_unlock(r ? r : CUDA_ERROR_INVALID_VALUE);
    struct CUgraphExec_st *e = cuda_need(calloc(1, sizeof *e));
    e->graph = graph;
    graph->n_users++;
    *out_exec = e;
    return cuda_unlock(CUDA_SUCCESS);
}

CUDA_EXPORT CUresult cuGraphLaunch(CUgraphExec exec, CUstream stream)
{
    CUresult r = enter_stream(&stream);
    if (!r && stream && stream->capture)
        r = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    cuda_state.counters.graph_launches += !r;
    cuda_state.counters.queued += !r;
    for (size_t i = 0; !r && i < exec->graph->n_ops; i++) {
        struct op op = exec->graph->ops[i];
        op.shared = true;
        r = cuda_submit(stream, &op);
    }
    return cuda_unlock(r);
}

CUDA_EXPORT CUresult cuGraphExecDestroy(CUgraphExec exec)
{
    cuda_lock();
    CUresult r = cuda_finish_all(); /* what it put into streams shares its parameters */
    release_graph(exec->graph);
    free(exec);
    return cuda_unlock(r);
}

CUDA_EXPORT CUresult cuGraphDestroy(CUgraph graph)
{
    cuda_lock();
    release_graph(graph);
    return cuda_unlock(CUDA_SUCCESS);
}
