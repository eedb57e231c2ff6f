/*
 * veo.h: what AVEO, NEC's library for offloading to the Vector Engine, looks like from outside, as
 * far as it is used here.
 *
 * NEC's packages bring libveo.so.1; it is opened at run time, so neither a build nor a user needs
 * NEC's compiler.  Here stand only facts of that interface (types, numbers, names), as AVEO's
 * ve_offload.h and veo_hmem_macros.h declare them (interface version 16, AVEO 3.0.2).  C99 and C++.
 */
#ifndef SHEAF_VE_RUNTIME_VEO_H
#define SHEAF_VE_RUNTIME_VEO_H

#include <stddef.h>
#include <stdint.h>

struct veo_proc_handle; /* a process of the engine */
struct veo_thr_ctxt;    /* a context: a thread of it, with a queue of requests */
struct veo_args;        /* arguments of a call */

#define VEO_REQUEST_ID_INVALID UINT64_MAX

enum {
    VEO_SYMNAME_LEN_MAX = 255,   /* characters of a symbol or of a library's path */
    VEO_NODE_OF_ENVIRONMENT = -1 /* VE_NODE_NUMBER, or else the first that the process may use */
};

/* Of a context. */
enum { VEO_STATE_UNKNOWN = 0, VEO_STATE_RUNNING = 1, VEO_STATE_EXIT = 4 };

/* What became of a request. */
enum {
    VEO_COMMAND_OK = 0,
    VEO_COMMAND_EXCEPTION = 1, /* the process has ended; the result is the signal's number */
    VEO_COMMAND_ERROR = 2,
    VEO_COMMAND_UNFINISHED = 3
};

/*
 * Pointers that tell which memory is meant, as veo_alloc_hmem makes them: of the engine, whose
 * address the lower bits are, in the process that veo_proc_identifier tells; others are the host's.
 */
enum { VEO_HMEM_PROCESS_SHIFT = 59 };
#define VEO_HMEM_ENGINE  (UINT64_C(1) << 63)
#define VEO_HMEM_ADDRESS ((UINT64_C(1) << VEO_HMEM_PROCESS_SHIFT) - 1)

/*
 * The functions: F(type, name, parameters).
 *
 * Those that return a pointer, an address or a library fail with 0; requests with
 * VEO_REQUEST_ID_INVALID; an int is 0 or a failure, but for states and versions.  Addresses of the
 * engine's memory are uint64_t.  The first context that is opened is the process's main one; others
 * are opened only where the environment has VE_OMP_NUM_THREADS=1.  The end of a process closes all.
 * Requests of a context are done in their order.
 */
#define VEO_FUNCTIONS(F)                                                                           \
    F(int, veo_api_version, (void))                                                                \
    F(const char *, veo_version_string, (void))                                                    \
    F(struct veo_proc_handle *, veo_proc_create, (int node))                                       \
    F(int, veo_proc_destroy, (struct veo_proc_handle * process))                                   \
    F(int, veo_proc_identifier, (struct veo_proc_handle * process)) /* negative: none */           \
    F(uint64_t, veo_load_library, (struct veo_proc_handle * process, const char *path))            \
    F(uint64_t, veo_get_sym,                                                                       \
      (struct veo_proc_handle * process, uint64_t library, const char *name))                      \
    F(int, veo_alloc_mem,                                                                          \
      (struct veo_proc_handle * process, uint64_t *out_address, const size_t n_bytes))             \
    F(int, veo_free_mem, (struct veo_proc_handle * process, uint64_t address))                     \
    F(struct veo_thr_ctxt *, veo_context_open, (struct veo_proc_handle * process))                 \
    F(int, veo_get_context_state, (struct veo_thr_ctxt * context))                                 \
    F(struct veo_args *, veo_args_alloc, (void))                                                   \
    F(int, veo_args_set_u64, (struct veo_args * args, int i, uint64_t value))                      \
    F(void, veo_args_free, (struct veo_args * args))                                               \
    F(uint64_t, veo_call_async,                                                                    \
      (struct veo_thr_ctxt * context, uint64_t function, struct veo_args *args))                   \
    F(int, veo_call_wait_result,                                                                   \
      (struct veo_thr_ctxt * context, uint64_t request, uint64_t *out_result))                     \
    F(uint64_t, veo_async_read_mem,                                                                \
      (struct veo_thr_ctxt * context, void *to, uint64_t from, size_t n_bytes))                    \
    F(uint64_t, veo_async_write_mem,                                                               \
      (struct veo_thr_ctxt * context, uint64_t to, const void *from, size_t n_bytes))              \
    F(int, veo_hmemcpy, (void *to, const void *from, size_t n_bytes)) /* waits */

/* Pointers to them, as dlsym fills them by their names. */
struct veo {
#define VEO_FIELD(type, name, parameters) type(*name) parameters;
    VEO_FUNCTIONS(VEO_FIELD)
#undef VEO_FIELD
};

#endif
