/*
 * cuda_state.h: the state of the simulated driver.  One lock is held in every function of it.
 */
#ifndef SHEAF_TESTS_SIM_CUDA_STATE_H
#define SHEAF_TESTS_SIM_CUDA_STATE_H

#include <stdbool.h>

#include "gpu_runtime/cuda.h"
#include "tests/sim/ptx.h"
#include "tests/sim/ptx_memory.h"
#include "tests/sim/sim.h"

#define CUDA_EXPORT __attribute__((visibility("default")))

struct CUmod_st {
    struct ptx_module *module;
    struct CUmod_st *next;
};

enum op_kind {
    OP_TO_DEVICE,
    OP_TO_HOST,
    OP_ON_DEVICE,
    OP_FILL,
    OP_LAUNCH,
    OP_CALL,
    OP_RECORD,
    OP_WAIT
};

/* A piece of work in a stream or graph. */
struct op {
    enum op_kind kind;
    CUdeviceptr to, from;
    void *host;
    uint64_t n; /* bytes, or values of a fill */
    uint32_t value;
    unsigned value_bytes;
    struct ptx_launch launch;
    CUhostFn function; /* of the host, on `host` */
    void *data;        /* parameters, or what was read from pageable memory; owned unless shared */
    bool shared;
    struct CUevent_st *event;
    struct CUstream_st *awaited;
    uint64_t awaited_end;
};

struct CUgraph_st {
    struct op *ops;
    size_t n_ops, cap_ops;
    int n_users; /* the client, and executables */
};

struct CUgraphExec_st {
    struct CUgraph_st *graph;
};

struct CUstream_st {
    struct op *ops; /* those that are still to be done */
    size_t n_ops, cap_ops;
    uint64_t n_done; /* ever */
    unsigned flags;
    bool destroyed, running;
    struct CUgraph_st *capture; /* that work goes to instead */
    struct CUstream_st *origin; /* where the capture began */
    int capture_mode;
    const void *capture_thread; /* differs from those of other threads */
    bool joined;                /* what it added to a capture was waited for */
    struct CUstream_st *next;
};

struct CUevent_st {
    unsigned flags;
    struct CUstream_st *stream; /* of the last record; NULL: never */
    uint64_t end;               /* what the stream must have done */
    struct CUstream_st *captured;
    size_t captured_at;
    double ms;
    bool destroyed;
    struct CUevent_st *next;
};

struct host_allocation {
    void *pointer;
    size_t n_bytes;
    struct host_allocation *next;
};

struct cuda_state {
    bool initialized;
    int n_devices, driver_version, arch;
    bool defer, verbose;
    uint64_t fail_launch, fail_load, fail_memory; /* countdowns; 0: never */
    uint64_t memory_bytes;
    int n_retained;  /* of the primary context */
    CUresult sticky; /* every call fails so since a launch did */
    struct ptx_memory *memory;
    struct CUmod_st *modules;
    struct CUstream_st *streams, legacy;
    struct CUevent_st *events;
    struct host_allocation *host;
    struct sim_counters counters;
    struct error error;
    CUresult error_of; /* what the sentence belongs to */
};
extern struct cuda_state cuda_state;
extern const CUcontext cuda_primary; /* the only one */

void cuda_lock(void);
/* Unlocks; returns its argument. */
CUresult cuda_unlock(CUresult result);
/* Keeps the sentence of the failure for cuGetErrorString; returns its second argument. */
CUresult cuda_fail(const struct error *err, CUresult result);
/* Locks; not CUDA_SUCCESS where a call that needs a current context cannot go on. */
CUresult cuda_enter(void);
/* CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED where a capture forbids calls that wait or allocate. */
CUresult cuda_check_capture(void);
/* CUDA_ERROR_OUT_OF_MEMORY where this call was told to fail. */
CUresult cuda_check_memory(void);

void *cuda_need(void *p); /* or ends the process */

CUstream cuda_without_legacy(CUstream stream); /* NULL is the legacy stream, and so is 1 */
/* Work: done now, later, or put into a graph.  NULL is the legacy stream. */
CUresult cuda_submit(struct CUstream_st *s, const struct op *op);
CUresult cuda_finish(struct CUstream_st *s, uint64_t end);
CUresult cuda_finish_all(void);
void cuda_release_op(struct op *op);
struct host_allocation *cuda_find_host(const void *pointer);

#endif
