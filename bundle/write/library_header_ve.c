/* What a library's header says of the Vector Engine: of processes there, contexts and faults. */
#include <inttypes.h>

#include "bundle/write/header.h"
#include "bundle/write/library_header_internal.h"

static void top(struct library_header *h)
{
    strbuf_add(&h->out,
               " *\n"
               " * The network runs on the engine, and its tensors lie in the processor's "
               "memory: a run copies them\n"
               " * there and back. A pointer may also be what AVEO's veo_alloc_hmem() gives "
               "for the library's\n"
               " * process; then it is copied inside the engine. The library opens NEC's AVEO "
               "(libveo.so.1) and has a "
               "process of its own there.\n"
               " * Runs at the same time use several cores where the environment has "
               "VE_OMP_NUM_THREADS=1.\n");
}

static void figures(struct library_header *h)
{
    struct strbuf *out = &h->out;
    const struct target *t = h->entry->parts[0].target;
    const int64_t *area = h->fn->program->area_bytes;
    strbuf_printf(out,
                  " * Device:    NEC Vector Engine (SX-Aurora TSUBASA)\n"
                  " * Host:      %s\n"
                  " * Memory:    %" PRId64
                  " bytes of the engine for each run at a time, and once the weights\n",
                  t->host->triple, area[AREA_MUTABLE] + area[AREA_ACTIVATION]);
    if (h->fn->program->host_bytes) {
        strbuf_add(out, " * Some steps run on the host, on this processor:\n");
        header_target(out, t->host);
    }
}

static void start(struct library_header *h)
{
    strbuf_printf(&h->out,
                  "/*\n"
                  " * Makes the library ready on node number deviceIdx, or where that is 0 on the "
                  "node that the\n"
                  " * environment variable VE_NODE_NUMBER tells, without it node 0: opens AVEO, "
                  "copies code and\n"
                  " * weights there. The first run does it by itself, as with 0: once, whichever "
                  "thread comes\n"
                  " * first; the others wait. After a fault another node may be tried; once the "
                  "library is ready,\n"
                  " * the number is not looked at.\n"
                  " */\n"
                  "void %s_init(const int deviceIdx);\n\n",
                  h->fn->func);
}

/* Faults of opening the engine. */
static void engine_faults(struct library_header *h)
{
    strbuf_add(&h->out,
               " *   SHEAF_ERROR_MEMORY     there is too little, on either side\n"
               " *   SHEAF_ERROR_DEVICE     no AVEO, no engine, or its process has ended\n"
               " *   SHEAF_ERROR_VERSION    AVEO is too old\n"
               " *   SHEAF_ERROR_IO         the engine's code cannot be written to TMPDIR\n");
    if (h->fn->program->host_bytes)
        strbuf_add(&h->out, " *   SHEAF_ERROR_PROCESSOR  the processor lacks a feature\n");
    if (h->req->functions.weights_path)
        strbuf_add(&h->out, " *   SHEAF_ERROR_IO         the file of weights cannot be read\n"
                            " *   SHEAF_ERROR_FORMAT     it holds other weights\n");
}

static void status(struct library_header *h)
{
    strbuf_add(&h->out, "/*\n * The same, and tells: 0, or\n");
    engine_faults(h);
    strbuf_printf(&h->out,
                  " */\n"
                  "int %s_status(void);\n\n"
                  "/* Why the engine could not be opened: one sentence; \"\" where there was no "
                  "such fault. */\n"
                  "const char *%s_message(void);\n\n",
                  h->fn->func, h->fn->func);
}

static void statuses(struct library_header *h)
{
    strbuf_add(&h->out, " *   SHEAF_ERROR_ARGUMENT   a pointer is NULL, or of another process on "
                        "the engine, or ctx is no context\n"
                        " *                          of this function\n");
    if (h->fn->items >= 0)
        strbuf_printf(&h->out,
                      " *   SHEAF_ERROR_SHAPE      the number of items is not within 1 and %" PRId64
                      "\n",
                      h->fn->max_items);
    engine_faults(h);
}

static void plain(struct library_header *h)
{
    strbuf_printf(
        &h->out,
        "/*\n"
        " * Runs the network. Each output is allocated with sheaf_ext_malloc() and stored through "
        "its\n"
        " * pointer; the caller gives it back with sheaf_ext_free(), or with free() where the "
        "allocator was\n"
        " * not replaced. ctx is NULL, or a context. There is no status: whatever prevents a run "
        "ends in\n"
        " * abort(), and nothing is printed. %s_run() and %s_status() tell.\n"
        " */\n",
        h->fn->func, h->fn->func);
}

static void rest(struct library_header *h)
{
    const char *func = h->fn->func;
    strbuf_printf(
        &h->out,
        "/*\n"
        " * AVEO's process on the engine, a struct veo_proc_handle, for memory and code of the "
        "program's own\n"
        " * there; the library keeps it. NULL where %s_status() tells a fault.\n"
        " */\n"
        "void *%s_process(void);\n\n",
        func, func);
    strbuf_printf(
        &h->out,
        "/*\n"
        " * A context is memory of the engine for a run, and holds the network's state from one "
        "run "
        "to the\n"
        " * next; without one (ctx NULL) a run has memory of the library's, which keeps as much as "
        "there were\n"
        " * runs at the same time, and starts with state zero.  %s_context_init() makes a block "
        "of\n"
        " * %s_context_size() bytes, of any alignment, a context, with state zero;\n"
        " * %s_context_done() gives back what it holds.\n"
        " */\n"
        "size_t %s_context_size(void);\n"
        "int %s_context_init(void *memory);\n"
        "void %s_context_done(void *memory);\n\n",
        func, func, func, func, func, func);
}

const struct library_header_texts library_header_ve = {.top = top,
                                                       .figures = figures,
                                                       .start = start,
                                                       .status = status,
                                                       .plain = plain,
                                                       .statuses = statuses,
                                                       .rest = rest,
                                                       .hooks = library_header_hooks};
