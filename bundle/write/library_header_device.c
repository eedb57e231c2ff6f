/* What a library's header says of a device: of pointers there, streams, contexts and faults. */
#include <inttypes.h>
#include <string.h>

#include "bundle/write/header.h"
#include "bundle/write/library_header_internal.h"

static void top(struct library_header *h)
{
    strbuf_add(&h->out,
               " *\n"
               " * Tensors lie in the device's memory: float *L0 is a CUdeviceptr, or what "
               "cudaMalloc() gives, which\n"
               " * the processor must not read or write. The library opens NVIDIA's driver "
               "(libcuda.so.1) and uses\n"
               " * the device's primary context, as CUDA's own runtime does; a thread's current "
               "context stays.\n");
}

static void figures(struct library_header *h)
{
    struct strbuf *out = &h->out;
    const struct target *t = h->entry->parts[0].target;
    const int64_t *area = h->fn->program->area_bytes;
    strbuf_add(out, " * Device:    NVIDIA GPU of compute capability ");
    for (size_t i = 0; i < t->n_archs; i++)
        strbuf_printf(out, "%s%u.%u", i ? ", " : "", t->archs[i] / 10, t->archs[i] % 10);
    strbuf_printf(out,
                  " or later\n * Host:      %s\n"
                  " * Memory:    %" PRId64
                  " bytes of the device for each run at a time, and once the "
                  "weights\n",
                  t->host->triple, area[AREA_MUTABLE] + area[AREA_ACTIVATION]);
    if (h->fn->program->host_bytes) {
        strbuf_add(out, " * Some steps run on the host, on this processor:\n");
        header_target(out, t->host);
    }
}

static void start(struct library_header *h)
{
    strbuf_printf(
        &h->out,
        "/*\n"
        " * Makes the library ready on device number deviceIdx: opens the driver, copies "
        "code and weights\n"
        " * there. The first run does it by itself, with device 0: once, whichever thread "
        "comes first; the\n"
        " * others wait. After a fault another device may be tried; once the library is "
        "ready, the number\n"
        " * is not looked at.\n"
        " */\n"
        "void %s_init(const int deviceIdx);\n\n",
        h->fn->func);
}

/* Faults of opening the device. */
static void device_faults(struct strbuf *out, const char *indent)
{
    strbuf_printf(out,
                  "%sSHEAF_ERROR_DEVICE     no driver, no device, or the device reports a failure\n"
                  "%sSHEAF_ERROR_VERSION    the driver is too old\n"
                  "%sSHEAF_ERROR_PROCESSOR  the device has a lower compute capability\n",
                  indent, indent, indent);
}

static void weights_faults(struct library_header *h, const char *indent)
{
    if (h->req->functions.weights_path)
        strbuf_printf(&h->out,
                      "%sSHEAF_ERROR_IO         the file of weights cannot be read\n"
                      "%sSHEAF_ERROR_FORMAT     it holds other weights\n",
                      indent, indent);
}

static void status(struct library_header *h)
{
    struct strbuf *out = &h->out;
    strbuf_add(out, "/*\n * The same, and tells: 0, or\n");
    strbuf_add(out, " *   SHEAF_ERROR_ARGUMENT   there is no device of that number\n"
                    " *   SHEAF_ERROR_MEMORY     the device has too little\n");
    device_faults(out, " *   ");
    weights_faults(h, " *   ");
    strbuf_printf(
        out,
        " */\n"
        "int %s_status(void);\n\n"
        "/* Why the device could not be opened: one sentence; \"\" where there was no such "
        "fault. */\n"
        "const char *%s_message(void);\n\n",
        h->fn->func, h->fn->func);
}

static void statuses(struct library_header *h)
{
    strbuf_add(&h->out,
               " *   SHEAF_ERROR_ARGUMENT   a pointer is no address of the device's memory, "
               "or ctx is no context\n *                          of this function\n");
    if (h->fn->items >= 0)
        strbuf_printf(&h->out,
                      " *   SHEAF_ERROR_SHAPE      the number of items is not within 1 and %" PRId64
                      "\n",
                      h->fn->max_items);
    strbuf_add(&h->out, " *   SHEAF_ERROR_MEMORY     there is none for the run\n");
    device_faults(&h->out, " *   ");
    weights_faults(h, " *   ");
}

static void plain(struct library_header *h)
{
    strbuf_printf(
        &h->out,
        "/*\n"
        " * Runs the network on what lies in its inputs on the device, behind all work of "
        "the legacy default\n"
        " * stream and of the streams that wait for it; for other streams the caller "
        "waits before. Returns\n"
        " * when the results are there. Each output is allocated on the device with "
        "sheaf_gpu_ext_malloc()\n"
        " * and stored through its pointer; the caller gives it back with "
        "sheaf_gpu_ext_free(), or with\n"
        " * cudaFree() or cuMemFree() where the allocator was not replaced. ctx is NULL, "
        "or a context. There\n"
        " * is no status: whatever prevents a run ends in abort(), and nothing is printed. "
        "%s_run()\n"
        " * and %s_status() tell.\n"
        " */\n",
        h->fn->func, h->fn->func);
}

static void queue(struct library_header *h)
{
    strbuf_add(
        &h->out,
        "/*\n"
        " * The same on a stream, a CUstream or cudaStream_t of the device's primary context "
        "(NULL: the\n"
        " * legacy default stream): the run is queued behind the stream's work, and the "
        "results are there\n"
        " * when the stream has done it. The call waits only where the network branches on "
        "data (If, Loop).\n"
        " * It needs a context, which is in use until then; further runs in it may be queued "
        "on the same\n"
        " * stream.\n"
        " */\n");
    library_header_checked(h, "queue", true, false);
}

static void rest(struct library_header *h)
{
    const char *func = h->fn->func;
    if (emit_library_can_queue(&h->req->functions, h->fn))
        queue(h);
    strbuf_printf(
        &h->out,
        "/*\n"
        " * A context is memory of the device for a run, and holds the network's state "
        "from one run to the\n"
        " * next; without one (ctx NULL) a run has memory of the library's, which keeps as "
        "much as there were\n"
        " * runs at the same time, and starts with state zero.  %s_context_init() makes a "
        "block of\n"
        " * %s_context_size() bytes of the processor's memory, of any alignment, a "
        "context, with state\n"
        " * zero; %s_context_done() gives back what it holds.\n"
        " */\n"
        "size_t %s_context_size(void);\n"
        "int %s_context_init(void *memory);\n"
        "void %s_context_done(void *memory);\n\n",
        func, func, func, func, func, func);
}

static void hooks(struct library_header *h)
{
    strbuf_add(
        &h->out,
        "#ifndef SHEAF_GPU_EXT_DECLARED\n"
        "#define SHEAF_GPU_EXT_DECLARED\n"
        "/*\n"
        " * The memory of outputs on the device: cuMemAlloc() in the thread's current "
        "context, and cuMemFree(),\n"
        " * unless the program replaces them: by functions sheaf_gpu_ext_malloc and "
        "sheaf_gpu_ext_free of its\n"
        " * own (both; the libraries' are weak), or at run time, before anything is "
        "allocated (NULL, NULL:\n"
        " * the device's again). A run calls them with the device's primary context current. "
        "The sol_ext_\n"
        " * names call the same.\n"
        " */\n"
        "void *sheaf_gpu_ext_malloc(size_t size);\n"
        "void sheaf_gpu_ext_free(void *block);\n"
        "void sheaf_gpu_ext_set_allocator(void *(*malloc_fn)(size_t size),\n"
        "        void (*free_fn)(void *block));\n"
        "void *sol_ext_malloc(size_t size);\n"
        "void sol_ext_free(void *block);\n"
        "#endif\n\n");
}

const struct library_header_texts library_header_gpu = {.top = top,
                                                        .figures = figures,
                                                        .start = start,
                                                        .status = status,
                                                        .plain = plain,
                                                        .statuses = statuses,
                                                        .rest = rest,
                                                        .hooks = hooks};
