#include <inttypes.h>
#include <string.h>

#include "bundle/write/header.h"
#include "bundle/write/library_header_internal.h"
#include "bundle/write/names.h"
#include "ir/version.h"

/* ---- names of parameters ---- */

static bool is_used(const struct library_header *h, const char *name)
{
    if (h->context && strcmp(h->context, name) == 0)
        return true;
    const char **const lists[] = {h->in, h->out_, h->dims};
    const size_t n[] = {h->fn->n_in, h->fn->n_out, h->fn->n_out};
    for (size_t k = 0; k < sizeof n / sizeof *n; k++)
        for (size_t i = 0; i < n[k]; i++)
            if (lists[k][i] && strcmp(lists[k][i], name) == 0)
                return true;
    return false;
}

/* Types of parameters must not become names of others. */
static bool is_type(const char *name)
{
    static const char *const types[] = {"int8_t",  "int16_t",  "int32_t",  "int64_t",
                                        "uint8_t", "uint16_t", "uint32_t", "uint64_t"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(name, types[i]) == 0)
            return true;
    return false;
}

static const char *new_name(struct library_header *h, const char *base)
{
    const char *name = base;
    for (unsigned i = 1; is_type(name) || is_used(h, name); i++)
        name = arena_printf(h->out.arena, "%s_%u", base, i);
    return name;
}

static const struct pbuf *buf_of(const struct library_header *h, int buf)
{
    return &h->fn->program->bufs[buf];
}

static const char *tensor_name(struct library_header *h, int buf)
{
    return new_name(h, names_legalise(h->out.arena, buf_of(h, buf)->name));
}

static void choose_names(struct library_header *h)
{
    struct arena *a = h->out.arena;
    size_t n_in = h->fn->n_in, n_out = h->fn->n_out;
    h->context = NULL;
    h->in = arena_array(a, n_in, sizeof *h->in);
    h->out_ = arena_array(a, n_out, sizeof *h->out_);
    h->dims = arena_array(a, n_out, sizeof *h->dims);
    for (size_t i = 0; i < n_in; i++)
        h->in[i] = tensor_name(h, h->fn->in[i]);
    for (size_t i = 0; i < n_out; i++)
        h->out_[i] = tensor_name(h, h->fn->out[i]);
    for (size_t i = 0; i < n_out; i++)
        if (emit_library_has_extents(buf_of(h, h->fn->out[i])))
            h->dims[i] = new_name(h, arena_printf(a, "%s_dims", h->out_[i]));
    h->context = new_name(h, "ctx");
    h->stream = new_name(h, "stream");
}

/* ---- the comment on top ---- */

static void line(struct library_header *h, const char *what, const char *text)
{
    strbuf_printf(&h->out, " * %s", what);
    header_comment_text(&h->out, text);
    strbuf_add(&h->out, "\n");
}

static int64_t dense_bytes(const struct pbuf *b)
{
    int64_t bits = (int64_t)dtype_bits(b->dtype);
    for (int d = 0; d < b->rank; d++)
        bits *= b->dims[d];
    return (bits + 7) / 8;
}

/* Numbers that C99 has no type for. */
static bool is_stored_otherwise(enum dtype t)
{
    return dtype_bits(t) < 8 || t == DTYPE_F16 || t == DTYPE_BF16 || dtype_is_coded(t);
}

static void tensor_line(struct library_header *h, const char *parameter, int buf, const char *role,
                        const char *name)
{
    struct strbuf *out = &h->out;
    const struct pbuf *b = buf_of(h, buf);
    bool is_counted = emit_library_is_counted(h->fn, buf);
    strbuf_printf(out, " *   %s, %s: %s, %s[", parameter, name, role, dtype_name(b->dtype));
    for (int d = 0; d < b->rank; d++)
        strbuf_printf(out, "%s%s%" PRId64, d ? "," : "",
                      b->extent_buf[d] < 0 && (d || !is_counted) ? "" : "<=", b->dims[d]);
    strbuf_add(out, "]");
    if (is_stored_otherwise(b->dtype))
        strbuf_printf(out, " in %s", header_c_type(b->dtype));
    strbuf_printf(out, ", %s%" PRId64 " bytes",
                  emit_library_has_extents(b) || is_counted ? "at most " : "", dense_bytes(b));
    if (buf == h->fn->items)
        strbuf_printf(out, ", how many items there are, 1 to %" PRId64, h->fn->max_items);
    if (b->quant.scale != 0)
        strbuf_printf(out, ", real = (stored - %" PRId32 ") * %.9g", b->quant.zero_point,
                      (double)b->quant.scale);
    strbuf_add(out, ", \"");
    header_comment_text(out, b->name);
    strbuf_add(out, "\"\n");
}

static bool is_random(const struct emit_library_function *fn, int buf)
{
    for (size_t i = 0; i < fn->n_random; i++)
        if (fn->random[i] == buf)
            return true;
    return false;
}

static void tensor_lines(struct library_header *h)
{
    struct arena *a = h->out.arena;
    const struct emit_library_function *fn = h->fn;
    for (size_t i = 0; i < fn->n_in; i++)
        tensor_line(h, arena_printf(a, "L%zu", i), fn->in[i], "input", h->in[i]);
    for (size_t i = 0; i < fn->n_out; i++)
        tensor_line(h, arena_printf(a, "L%zu", fn->n_in + i), fn->out[i], "output", h->out_[i]);
    for (size_t i = 0; i < h->entry->n_symbols; i++) {
        const struct emit_symbol *symbol = &h->entry->symbols[i];
        if (symbol->part == 0 && buf_of(h, symbol->buf)->role == SHEAF_ROLE_STATE &&
            !is_random(fn, symbol->buf))
            tensor_line(h, "ctx", symbol->buf, "state", symbol->name);
    }
}

static bool is_for_device(const struct library_header *h)
{
    return h->req->functions.device != 0;
}

static void processor_figures(struct library_header *h)
{
    line(h, "Target:    ", h->entry->parts[0].target->triple);
    for (size_t i = 0; i < h->entry->n_parts; i++)
        header_target(&h->out, h->entry->parts[i].target);
}

static void function_comment(struct library_header *h)
{
    struct strbuf *out = &h->out;
    const struct emit_library_function *fn = h->fn;
    const struct emit_entry *entry = h->entry;
    if (h->req->functions.n_functions > 1)
        line(h, "Function:  ", fn->func);
    line(h, "Model:     ", entry->model);
    h->texts->figures(h);
    strbuf_printf(out, " * Weights:   %zu bytes, ", h->req->weights.size);
    if (h->req->functions.weights_path) {
        strbuf_add(out, "in the file ");
        header_comment_text(out, h->req->functions.weights_path);
        strbuf_add(out, "\n");
    } else {
        strbuf_add(out, "inside the library, read-only\n");
    }
    if (!is_for_device(h))
        strbuf_printf(
            out, " * Work:      %" PRIu64 " bytes for each call that runs, %s_context_size()\n",
            emit_library_context_bytes(fn), fn->func);
    strbuf_add(out, " *\n");
    strbuf_add(out,
               " * Tensors: parameter of the plain function (ctx: it is kept in a context) and of "
               "the checked one,\n * role, type and shape, size, name in the model. All are dense, "
               "the last dimension varies fastest.\n");
    tensor_lines(h);
    strbuf_add(out, " *\n");
}

/* The function in work is i. */
static void enter(struct library_header *h, size_t i)
{
    h->fn = &h->req->functions.functions[i];
    h->entry = &h->req->entries[i];
    choose_names(h);
}

static void top_comment(struct library_header *h)
{
    struct strbuf *out = &h->out;
    size_t n = h->req->functions.n_functions;
    strbuf_printf(out, "/*\n * %s.h: %s as C functions.\n *\n", h->req->name,
                  n > 1 ? "trained networks" : "a trained network");
    strbuf_printf(out, " * Made by %s; do not edit.\n *\n", SHEAF_TOOL);
    for (size_t i = 0; i < n; i++) {
        enter(h, i);
        function_comment(h);
    }
    strbuf_add(out,
               " * Every function may be called by any number of threads at once, a context is "
               "for one call at\n * a time. Statuses are those of enum sheaf_status, at the "
               "end of this file.\n");
    if (h->texts->top)
        h->texts->top(h);
    strbuf_add(out, " */\n");
}

/* ---- functions ---- */

/* A declaration, with as many parameters in a line as fit. */
static void declare(struct library_header *h, const char *head, const char *const *params, size_t n)
{
    enum { WIDTH = 100, INDENT = 8 };
    struct strbuf *out = &h->out;
    size_t column = strlen(head);
    strbuf_add(out, head);
    for (size_t i = 0; i < n; i++) {
        const char *end = i + 1 < n ? "," : ");";
        size_t length = strlen(params[i]) + strlen(end);
        if (i && column + 1 + length > WIDTH) {
            strbuf_printf(out, "\n%*s", INDENT, "");
            column = INDENT;
        } else if (i) {
            strbuf_add(out, " ");
            column++;
        }
        strbuf_printf(out, "%s%s", params[i], end);
        column += length;
    }
    strbuf_add(out, "\n\n");
}

static const char *parameter(struct library_header *h, int buf, const char *form, const char *name)
{
    return arena_printf(h->out.arena, form, header_c_type(buf_of(h, buf)->dtype), name);
}

static void plain_comment(struct library_header *h)
{
    strbuf_printf(
        &h->out,
        "/*\n"
        " * Runs the network. Each output is allocated with sheaf_ext_malloc() and stored "
        "through its\n"
        " * pointer; the caller gives it back with sheaf_ext_free(), or with free() where "
        "the allocator was\n"
        " * not replaced. ctx is NULL, or a context. There is no status: whatever "
        "prevents a run (a NULL\n"
        " * pointer, no memory, a processor that is too old) ends in abort(), and nothing "
        "is printed.\n"
        " * %s_run() and %s_status() tell.\n"
        " */\n",
        h->fn->func, h->fn->func);
}

static void plain_function(struct library_header *h)
{
    struct arena *a = h->out.arena;
    const struct emit_library_function *fn = h->fn;
    const char **params = arena_array(a, 1 + fn->n_in + fn->n_out, sizeof *params);
    size_t n = 0;
    params[n++] = "void *ctx";
    for (size_t i = 0; i < fn->n_in; i++)
        params[n++] = parameter(h, fn->in[i], "const %s *%s", arena_printf(a, "L%zu", i));
    for (size_t i = 0; i < fn->n_out; i++)
        params[n++] = parameter(h, fn->out[i], "%s **%s", arena_printf(a, "L%zu", fn->n_in + i));
    h->texts->plain(h);
    declare(h, arena_printf(a, "void %s(", fn->func), params, n);
}

void library_header_checked(struct library_header *h, const char *suffix, bool stream, bool sized)
{
    struct arena *a = h->out.arena;
    const struct emit_library_function *fn = h->fn;
    const char **params = arena_array(a, 2 + fn->n_in + 2 * fn->n_out, sizeof *params);
    size_t n = 0;
    params[n++] = arena_printf(a, "void *%s", h->context);
    if (stream)
        params[n++] = arena_printf(a, "void *%s", h->stream);
    for (size_t i = 0; i < fn->n_in; i++)
        params[n++] = parameter(h, fn->in[i], "const %s *%s", h->in[i]);
    for (size_t i = 0; i < fn->n_out; i++) {
        params[n++] = parameter(h, fn->out[i], "%s *%s", h->out_[i]);
        if (sized && h->dims[i])
            params[n++] = arena_printf(a, "int64_t *%s", h->dims[i]);
    }
    declare(h, arena_printf(a, "int %s_%s(", fn->func, suffix), params, n);
}

static void run_statuses(struct library_header *h)
{
    struct strbuf *out = &h->out;
    strbuf_add(out, " *   SHEAF_ERROR_ARGUMENT   a pointer is NULL, or ctx is no context of this "
                    "function\n");
    if (h->fn->items >= 0)
        strbuf_printf(out,
                      " *   SHEAF_ERROR_SHAPE      the number of items is not within 1 and %" PRId64
                      "\n",
                      h->fn->max_items);
    strbuf_add(
        out,
        " *   SHEAF_ERROR_MEMORY     there is none for the run; a run with a context needs none\n"
        " *   SHEAF_ERROR_PROCESSOR  the processor lacks a feature\n");
    if (h->req->functions.weights_path)
        strbuf_add(out, " *   SHEAF_ERROR_IO         the file of weights cannot be read\n"
                        " *   SHEAF_ERROR_FORMAT     it holds other weights\n");
}

static void checked_functions(struct library_header *h)
{
    strbuf_add(&h->out, "/*\n"
                        " * The same, checked: the outputs are the caller's memory, with room for "
                        "the sizes stated above.\n"
                        " * It never aborts, and returns 0, or why there was no run:\n");
    h->texts->statuses(h);
    strbuf_add(&h->out, " */\n");
    library_header_checked(h, "run", false, false);
    if (!emit_library_is_sized(h->fn))
        return;
    strbuf_printf(
        &h->out,
        "/*\n"
        " * The same, and tells the extents of outputs that are known only after the run: "
        "one number for\n"
        " * each dimension, NULL where they are not wanted.%s\n"
        " */\n",
        emit_library_is_on_device(h->req->functions.device)
            ? "  These numbers are in the processor's memory."
            : "");
    library_header_checked(h, "run_sized", false, true);
}

static void status_function(struct library_header *h)
{
    struct strbuf *out = &h->out;
    const char *func = h->fn->func, *path = h->req->functions.weights_path;
    strbuf_add(out, "/* The same, and tells: 0, SHEAF_ERROR_PROCESSOR where the processor lacks a "
                    "feature");
    if (path) {
        strbuf_add(out, ",\n   SHEAF_ERROR_IO where the file \"");
        header_comment_text(out, path);
        strbuf_add(out, "\" cannot be read, SHEAF_ERROR_FORMAT\n   where it holds other weights");
    }
    strbuf_printf(out, ". */\nint %s_status(void);\n\n", func);
}

static void weights_functions(struct library_header *h)
{
    struct strbuf *out = &h->out;
    const char *func = h->fn->func, *path = h->req->functions.weights_path;
    strbuf_printf(out,
                  "/*\n"
                  " * Before the first run: the weights are in this file, not in the one named "
                  "above. Returns as\n"
                  " * %s_status(). May be tried again after a failure; once the library has its "
                  "weights, the path\n"
                  " * is not looked at. The file stays mapped and must not be changed.",
                  func);
    if (*path != '/')
        strbuf_add(out, " Without a call the one\n"
                        " * named above is looked for from where the program runs, then under its "
                        "own name in the folder of\n"
                        " * this library, or of the program that it is linked into.");
    strbuf_printf(out,
                  "\n */\n"
                  "int %s_weights(const char *path);\n\n"
                  "/* The file that is named above, for messages. */\n"
                  "const char *%s_weights_file(void);\n\n",
                  func, func);
}

static void init_function(struct library_header *h)
{
    const char *func = h->fn->func;
    strbuf_printf(&h->out,
                  "/*\n"
                  " * Makes the library ready, which the first run does by itself: once, whichever "
                  "thread comes first;\n"
                  " * the others wait. deviceIdx is the number of a device; a processor has but "
                  "one, so it is not\n"
                  " * looked at.\n"
                  " */\n"
                  "void %s_init(const int deviceIdx);\n\n",
                  func);
}

static void start_functions(struct library_header *h)
{
    struct strbuf *out = &h->out;
    const char *func = h->fn->func;
    h->texts->start(h);
    h->texts->status(h);
    strbuf_add(out,
               h->fn->n_random
                   ? "/*\n"
                     " * The network's random numbers follow from this seed; without a call it "
                     "is 0. Each context has a\n"
                     " * sequence of its own, and so has each run without one. Returns 0.\n"
                     " */\n"
                   : "/* Does nothing, for the network draws no random numbers. Returns 0. */\n");
    strbuf_printf(out, "int %s_seed(const int seed);\n\n", func);
    if (h->req->functions.weights_path)
        weights_functions(h);
}

static void context_functions(struct library_header *h)
{
    const char *func = h->fn->func;
    strbuf_printf(&h->out,
                  "/*\n"
                  " * A context is the memory of a run, and holds the network's state from one run "
                  "to the next; without\n"
                  " * one (ctx NULL) each run allocates its memory with sheaf_ext_malloc() and "
                  "starts with state zero.\n"
                  " * It is plain memory of %s_context_size() bytes, of any alignment, the "
                  "caller's, and made a\n"
                  " * context by %s_context_init(), which also resets the state; with it "
                  "%s_run()\n"
                  " * allocates nothing. There is nothing to undo.\n"
                  " */\n"
                  "size_t %s_context_size(void);\n"
                  "int %s_context_init(void *memory);\n\n",
                  func, func, func, func, func);
}

/* The same in every library, so that several can be included. */
static const char HOOKS[] =
    "#ifndef SHEAF_EXT_DECLARED\n"
    "#define SHEAF_EXT_DECLARED\n"
    "/*\n"
    " * The memory of outputs and runs: malloc() and free() of the C library, unless the program\n"
    " * replaces them: by functions sheaf_ext_malloc and sheaf_ext_free of its own (both; the\n"
    " * libraries' are weak), or at run time, before anything is allocated (NULL, NULL: the C\n"
    " * library's again). Blocks must be aligned as malloc()'s are. The sol_ext_ names call the\n"
    " * same.\n"
    " */\n"
    "void *sheaf_ext_malloc(size_t size);\n"
    "void sheaf_ext_free(void *block);\n"
    "void sheaf_ext_set_allocator(void *(*malloc_fn)(size_t size), void (*free_fn)(void *block));\n"
    "void *sol_ext_malloc(size_t size);\n"
    "void sol_ext_free(void *block);\n"
    "#endif\n\n";

void library_header_hooks(struct library_header *h)
{
    strbuf_add(&h->out, HOOKS);
}

static const struct library_header_texts processor = {.figures = processor_figures,
                                                      .start = init_function,
                                                      .status = status_function,
                                                      .plain = plain_comment,
                                                      .statuses = run_statuses,
                                                      .rest = context_functions,
                                                      .hooks = library_header_hooks};

static const struct library_header_texts *texts_of(enum sheaf_device device)
{
    return device == SHEAF_DEVICE_VE ? &library_header_ve
           : device                  ? &library_header_gpu
                                     : &processor;
}

static void declare_externs(struct library_header *h)
{
    const struct library_request *req = h->req;
    const char *text = header_externs(h->out.arena, req->entries, req->functions.n_functions);
    if (!*text)
        return;
    header_extern_types(&h->out);
    strbuf_printf(&h->out, "\n%s", text);
}

const char *library_header_text(struct arena *a, const struct library_request *req)
{
    struct library_header h = {.req = req, .texts = texts_of(req->functions.device)};
    const char *guard = names_legalise(a, req->name);
    strbuf_init(&h.out, a);
    top_comment(&h);
    strbuf_printf(&h.out,
                  "#ifndef SHEAF_LIBRARY_%s_H\n"
                  "#define SHEAF_LIBRARY_%s_H\n\n"
                  "#include <stddef.h>\n"
                  "#include <stdint.h>\n\n"
                  "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n",
                  guard, guard);
    for (size_t i = 0; i < req->functions.n_functions; i++) {
        enter(&h, i);
        start_functions(&h);
        plain_function(&h);
        checked_functions(&h);
        h.texts->rest(&h);
    }
    declare_externs(&h);
    h.texts->hooks(&h);
    strbuf_add(&h.out, "#ifdef __cplusplus\n}\n#endif\n\n");
    header_statuses(&h.out);
    strbuf_add(&h.out, "\n#endif\n");
    return strbuf_text(&h.out);
}
