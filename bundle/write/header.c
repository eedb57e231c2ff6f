#include "bundle/write/header.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bundle/read/audit.h"
#include "bundle/write/names.h"
#include "bundle/write/weights_form.h"
#include "ir/graph.h"
#include "ir/version.h"

struct header {
    struct strbuf out;
    const struct bundle_request *req;
    const char *stem;               /* the bundle's name as an identifier */
    const struct emit_entry *entry; /* that is being written about */
    const char *upper;              /* in capitals: prefix of its macros */
};

void header_comment_text(struct strbuf *out, const char *s)
{
    for (char before = 0; *s; before = *s++) {
        unsigned char c = (unsigned char)*s;
        if (c < 0x20 || c > 0x7e)
            strbuf_printf(out, "\\x%02x", c);
        else
            strbuf_printf(out, "%s%c",
                          (before == '*' && c == '/') || (before == '/' && c == '*') ? " " : "", c);
    }
}

static const struct pbuf *symbol_buf(const struct header *h, size_t i)
{
    const struct emit_symbol *s = &h->entry->symbols[i];
    return &h->entry->parts[s->part].program->bufs[s->buf];
}

static int64_t symbol_elems(const struct pbuf *b)
{
    return layout_elems(&b->layout, b->dims);
}

/* ---- the comment on top ---- */

/* As in "data: input f32[1,3,64,64]". */
static void symbol_type(struct header *h, size_t i)
{
    static const char *const roles[] = {"constant", "input", "output", "state"};
    struct strbuf *out = &h->out;
    const struct pbuf *b = symbol_buf(h, i);
    strbuf_printf(out, "%s: %s %s[", h->entry->symbols[i].name, roles[b->role],
                  dtype_name(b->dtype));
    for (int d = 0; d < b->rank; d++)
        strbuf_printf(out, "%s%s%" PRId64, d ? "," : "",
                      b->extent_buf[d] < 0 ? "" : "<=", b->dims[d]);
    strbuf_add(out, "]");
    if (!layout_is_plain(&b->layout))
        strbuf_printf(out, " packed %s", layout_print(&b->layout, out->arena));
    if (b->quant.scale != 0)
        strbuf_printf(out, " = (stored - %" PRId32 ") * %.9g", b->quant.zero_point,
                      (double)b->quant.scale);
}

static void symbol_comment(struct header *h, size_t i)
{
    struct strbuf *out = &h->out;
    const struct pbuf *b = symbol_buf(h, i);
    strbuf_add(out, " *   ");
    symbol_type(h, i);
    strbuf_printf(out, ", %" PRId64 " bytes at %" PRId64 "%s, \"", b->bytes, b->offset,
                  program_is_overlaid(b) ? " of the activations" : "");
    header_comment_text(out, b->name);
    strbuf_add(out, "\"\n");
}

static void comment_line(struct header *h, const char *what, const char *text)
{
    strbuf_printf(&h->out, " * %s", what);
    header_comment_text(&h->out, text);
    strbuf_add(&h->out, "\n");
}

void header_target(struct strbuf *out, const struct target *t)
{
    enum { WIDTH = 100 };
    static const char indent[] = "\n *            ";
    size_t column = sizeof indent - 2;
    strbuf_add(out, " * Processor: ");
    header_comment_text(out, t->cpu);
    strbuf_add(out, "\n * Features:  ");
    for (const char *p = t->features; *p;) {
        size_t n = strcspn(p, ",");
        n += p[n] == ',';
        if (column + n > WIDTH) {
            strbuf_add(out, indent);
            column = sizeof indent - 2;
        }
        header_comment_text(out, arena_strndup(out->arena, p, n));
        column += n;
        p += n;
    }
    strbuf_add(out, "\n");
}

static const struct target *device_of(const struct header *h)
{
    const struct target *t = h->entry->parts[0].target;
    return t->device ? t : NULL;
}

static void print_archs(struct strbuf *out, const struct target *t)
{
    for (size_t i = 0; i < t->n_archs; i++)
        strbuf_printf(out, "%s%u.%u",
                      i == 0               ? ""
                      : i + 1 < t->n_archs ? ", "
                                           : " and ",
                      t->archs[i] / 10, t->archs[i] % 10);
}

/* Later GPUs run the code, too. */
static void device_target(struct header *h, const struct target *t)
{
    bool is_ve = t->device == SHEAF_DEVICE_VE;
    if (is_ve) {
        strbuf_add(&h->out, " * Device:    NEC Vector Engine (SX-Aurora TSUBASA)\n");
    } else {
        strbuf_add(&h->out, " * Device:    NVIDIA GPUs, with code for compute capability ");
        print_archs(&h->out, t);
        strbuf_add(&h->out, "; later ones run that, too\n");
    }
    strbuf_printf(
        &h->out, " * Runtime:   lib%s_runtime (%s_runtime/%s_runtime.h), in a program for %s\n",
        is_ve ? "ve" : "gpu", is_ve ? "ve" : "gpu", is_ve ? "ve" : "gpu", t->host->triple);
    if (h->entry->parts[0].program->host_bytes) {
        strbuf_add(&h->out, " * Host:      some steps run there, on this processor:\n");
        header_target(&h->out, t->host);
    }
}

/* What the entry costs beside its areas, as the object itself says; false where it does not. */
static bool find_figures(const struct header *h, struct audit_sizes *out_sizes,
                         struct audit_entry *out_entry)
{
    struct object o;
    if (object_open(h->req->object.data, h->req->object.size, &o))
        return false;
    *out_sizes = audit_sizes(&o);
    for (uint32_t i = 0; audit_entry(&o, i, out_entry); i++)
        if (strcmp(out_entry->name, h->entry->name) == 0)
            return true;
    return false;
}

static bool calls_externs(const struct header *h)
{
    return *header_externs(h->out.arena, h->entry, 1) != 0;
}

static void figures(struct header *h)
{
    const struct program *p = h->entry->parts[0].program;
    struct audit_sizes sizes;
    struct audit_entry e;
    if (!find_figures(h, &sizes, &e))
        return;
    if (device_of(h)) {
        strbuf_printf(&h->out, " * Products:  %" PRIu64 " in a run\n", e.macs);
        return;
    }
    strbuf_printf(&h->out, " * RAM:       %" PRId64 " bytes",
                  p->area_bytes[AREA_MUTABLE] + p->area_bytes[AREA_ACTIVATION]);
    if (e.stack_bytes)
        strbuf_printf(&h->out, " and %" PRIu64 " of stack at most in a call", e.stack_bytes);
    strbuf_printf(&h->out,
                  "\n"
                  " * Flash:     %" PRIu64 " bytes code and tables, %" PRId64 " weights\n"
                  " * Products:  %" PRIu64 " in a run\n",
                  sizes.code + sizes.constants, p->area_bytes[AREA_CONSTANT], e.macs);
}

static void entry_comment(struct header *h)
{
    const struct program *p = h->entry->parts[0].program;
    int64_t activations = p->area_bytes[AREA_ACTIVATION];
    struct strbuf *out = &h->out;
    if (h->req->n_entries > 1)
        comment_line(h, "Entry:     ", h->entry->name);
    comment_line(h, "Model:     ", h->entry->model);
    if (device_of(h)) {
        device_target(h, device_of(h));
    } else {
        comment_line(h, "Target:    ", h->entry->parts[0].target->triple);
        for (size_t i = 0; i < h->entry->n_parts; i++)
            header_target(out, h->entry->parts[i].target);
    }
    strbuf_printf(out,
                  " * Memory:    %" PRId64 " bytes constant, %" PRId64 " mutable, %" PRId64
                  " activations\n",
                  p->area_bytes[AREA_CONSTANT], p->area_bytes[AREA_MUTABLE], activations);
    if (h->req->n_entries == 1)
        strbuf_printf(
            out, " *            (of the activations %" PRId64 " are alive at once, %.1f%%)\n",
            p->peak_live_bytes,
            activations ? 100.0 * (double)p->peak_live_bytes / (double)activations : 100.0);
    if (p->overlay_saved_bytes)
        strbuf_printf(out,
                      " *            (inputs and outputs lie among the activations, which saves "
                      "%" PRId64 " bytes)\n",
                      p->overlay_saved_bytes);
    figures(h);
    strbuf_add(
        out, " *\n * Symbols: name, role, type and shape, place in its area, name in the model\n");
    for (size_t i = 0; i < h->entry->n_symbols; i++)
        symbol_comment(h, i);
}

/* ---- what all bundles share ---- */

/* bundle/bundle.h, line by line: the header carries the contract, so that it needs no other file.
   The guard is the contract's own, so copies in several headers do not collide. */
static const char *const contract[] = {
#include "bundle/contract.inc"
};

enum { N_CONTRACT = sizeof contract / sizeof *contract };

static void contract_text(struct strbuf *out)
{
    for (size_t i = 0; i < N_CONTRACT; i++)
        strbuf_add(out, contract[i]);
}

/* The lines of an inner guard. */
static void guarded_text(struct strbuf *out, const char *guard)
{
    size_t i = 0;
    while (strcmp(contract[i], guard) != 0)
        i++;
    for (; strcmp(contract[i], "#endif\n") != 0; i++)
        strbuf_add(out, contract[i]);
    strbuf_add(out, "#endif\n");
}

void header_statuses(struct strbuf *out)
{
    guarded_text(out, "#ifndef SHEAF_STATUS_DEFINED\n");
}

void header_extern_types(struct strbuf *out)
{
    guarded_text(out, "#ifndef SHEAF_DTYPE_DEFINED\n");
    strbuf_add(out, "\n");
    guarded_text(out, "#ifndef SHEAF_EXTERN_DEFINED\n");
}

static const char common_macros[] =
    "#ifndef SHEAF_BUNDLE_MACROS_DEFINED\n"
    "#define SHEAF_BUNDLE_MACROS_DEFINED\n"
    "\n"
    "/* What lies `offset` bytes into an area. */\n"
    "#ifdef __cplusplus\n"
    "#define SHEAF_AT(type, area, offset) "
    "static_cast<type *>(static_cast<void *>((area) + (offset)))\n"
    "#define SHEAF_CONST_AT(type, area, offset) \\\n"
    "    static_cast<const type *>(static_cast<const void *>((area) + (offset)))\n"
    "#else\n"
    "#define SHEAF_AT(type, area, offset) ((type *)(void *)((area) + (offset)))\n"
    "#define SHEAF_CONST_AT(type, area, offset) "
    "((const type *)(const void *)((area) + (offset)))\n"
    "#endif\n"
    "\n"
    "/* Before the declaration of a static area: SHEAF_ALIGNED(64) static uint8_t area[1024]; */\n"
    "#if defined(__GNUC__)\n"
    "#define SHEAF_ALIGNED(bytes) __attribute__((aligned(bytes)))\n"
    "#elif defined(__cplusplus)\n"
    "#define SHEAF_ALIGNED(bytes) alignas(bytes)\n"
    "#else\n"
    "#define SHEAF_ALIGNED(bytes) _Alignas(bytes)\n"
    "#endif\n"
    "\n"
    "#endif\n"
    "\n";

/* ---- what is this bundle's own ---- */

/* In names of what lies there: what was written for the mutable area does not compile. */
#define IN_ACTIVATIONS "IN_ACTIVATIONS_"

static bool is_of_client(const struct pbuf *b)
{
    return b->area == AREA_MUTABLE || program_is_overlaid(b);
}

/* real = (stored - zero point) * scale */
static void quantization_macros(struct header *h, const char *name, const struct quant *q)
{
    char scale[40];
    if (q->scale == 0)
        return;
    snprintf(scale, sizeof scale, "%.9g", (double)q->scale);
    strbuf_printf(&h->out,
                  "#define %s_SCALE_%s %s%sf\n"
                  "#define %s_ZERO_POINT_%s (%" PRId32 ")\n",
                  h->upper, name, scale, strpbrk(scale, ".e") ? "" : ".0", h->upper, name,
                  q->zero_point);
}

static void macros(struct header *h)
{
    const struct program *p = h->entry->parts[0].program;
    struct strbuf *out = &h->out;
    strbuf_printf(out,
                  "/* The areas: sizes and alignment in bytes. */\n"
                  "#define %s_CONSTANT_MEM_SIZE %" PRId64 "\n"
                  "#define %s_MUTABLE_MEM_SIZE %" PRId64 "\n"
                  "#define %s_ACTIVATIONS_MEM_SIZE %" PRId64 "\n"
                  "#define %s_MEM_ALIGN %d\n\n",
                  h->upper, p->area_bytes[AREA_CONSTANT], h->upper, p->area_bytes[AREA_MUTABLE],
                  h->upper, p->area_bytes[AREA_ACTIVATION], h->upper, PROGRAM_ALIGNMENT);
    struct audit_sizes sizes;
    struct audit_entry e;
    if (find_figures(h, &sizes, &e)) {
        if (e.stack_bytes && !device_of(h))
            strbuf_printf(out,
                          "/* Bytes of stack that a call needs at most%s. */\n"
                          "#define %s_STACK_BYTES %" PRIu64 "\n\n",
                          calls_externs(h) ? ", without the program's own functions" : "", h->upper,
                          e.stack_bytes);
        strbuf_printf(out,
                      "/* Products that a run adds up. */\n"
                      "#define %s_MACS %" PRIu64 "\n\n",
                      h->upper, e.macs);
    }
    strbuf_add(out,
               "/* Inputs, outputs and state: offset in the mutable area, bytes, elements. */\n");
    for (size_t i = 0; i < h->entry->n_symbols; i++) {
        const struct pbuf *b = symbol_buf(h, i);
        const char *name = h->entry->symbols[i].name;
        if (!is_of_client(b))
            continue;
        bool is_overlaid = program_is_overlaid(b);
        strbuf_add(out, "/* ");
        symbol_type(h, i);
        strbuf_add(out, is_overlaid ? ", offset in the activations area */\n" : " */\n");
        strbuf_printf(out, "#define %s_%s%s %" PRId64 "\n", h->upper,
                      is_overlaid ? IN_ACTIVATIONS : "", name, b->offset);
        strbuf_printf(out, "#define %s_BYTES_%s %" PRId64 "\n", h->upper, name, b->bytes);
        strbuf_printf(out, "#define %s_ELEMS_%s %" PRId64 "\n", h->upper, name, symbol_elems(b));
        quantization_macros(h, name, &b->quant);
        for (int d = 0; d < b->rank; d++)
            if (b->extent_buf[d] >= 0)
                strbuf_printf(out,
                              "/* Offset in the activations of the extent of dimension %d. */\n"
                              "#define %s_EXTENT_%d_%s %" PRId64 "\n",
                              d, h->upper, d, name, p->bufs[b->extent_buf[d]].offset);
    }
}

static void entry_contract(struct header *h)
{
    if (device_of(h))
        strbuf_add(&h->out, "/*\n"
                            " * The network runs on the device, by the plan in the info: a runtime "
                            "opens the bundle and runs\n"
                            " * it (bundle/runtime.h). This function returns "
                            "SHEAF_ERROR_DEVICE.\n"
                            " */\n");
    else
        strbuf_printf(
            &h->out,
            "/*\n"
            " * Runs the network: reads weights and inputs, writes the outputs. Each area "
            "begins at a multiple\n"
            " * of %s_MEM_ALIGN bytes. Returns 0%s.\n"
            " */\n",
            h->upper,
            h->entry->n_parts > 1 ? ", or SHEAF_ERROR_PROCESSOR where no code in here is for "
                                    "this processor"
                                  : "");
}

static void device_declaration(struct header *h)
{
    strbuf_printf(
        &h->out,
        "/*\n"
        " * Runs the network on the Vector Engine, in a program there that is linked with ");
    header_comment_text(&h->out, h->req->name);
    strbuf_printf(&h->out,
                  ".ve.o, or\n"
                  " * opens the .ve.so beside it: `call` is the address of a struct sheaf_ve_call. "
                  "The constant area\n"
                  " * holds the weights. Returns 0.\n"
                  " */\n"
                  "uint64_t %s_ve(uint64_t call);\n\n",
                  h->entry->name);
}

static void declarations(struct header *h)
{
    const char *entry = h->entry->name;
    strbuf_add(&h->out, "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    entry_contract(h);
    strbuf_printf(&h->out,
                  "int %s(uint8_t *constantWeightVars, uint8_t *mutableWeightVars,\n"
                  "    uint8_t *activations);\n\n"
                  "/* The areas and their symbols, and what else is known of the bundle. */\n"
                  "extern const struct BundleConfig %s_config;\n"
                  "extern const struct sheaf_bundle_info %s_info;\n\n",
                  entry, entry, entry);
    if (h->entry->n_parts > 1)
        strbuf_printf(
            &h->out,
            "/* For repeated calls: the number of the code that this processor runs best, "
            "and that code. */\n"
            "uint32_t %s_select(void);\n"
            "int %s_run(uint32_t variant, uint8_t *constantWeightVars,\n"
            "    uint8_t *mutableWeightVars, uint8_t *activations);\n\n",
            entry, entry);
    if (h->req->device_object.size && emit_is_one_call(&h->entry->parts[0]))
        device_declaration(h);
}

const char *header_c_type(enum dtype t)
{
    static const char *const names[2][4] = {{"int8_t", "int16_t", "int32_t", "int64_t"},
                                            {"uint8_t", "uint16_t", "uint32_t", "uint64_t"}};
    if (t == DTYPE_F32)
        return "float";
    if (t == DTYPE_F64)
        return "double";
    int width = 0;
    for (unsigned bits = 8; bits < dtype_bits(t); bits *= 2)
        width++;
    bool is_signed = dtype_kind(t) == DTYPE_KIND_INT && dtype_bits(t) >= 8;
    return names[is_signed ? 0 : 1][width];
}

static void accessors(struct header *h)
{
    struct strbuf *out = &h->out;
    strbuf_add(out, "/* Inputs, outputs and state inside their area. */\n");
    for (size_t i = 0; i < h->entry->n_symbols; i++) {
        const struct pbuf *b = symbol_buf(h, i);
        const char *name = h->entry->symbols[i].name;
        if (!is_of_client(b))
            continue;
        const char *where = program_is_overlaid(b) ? IN_ACTIVATIONS : "";
        const char *area = *where ? "activations" : "mutableWeightVars";
        strbuf_printf(out,
                      "static inline %s *%s_get_%s%s(uint8_t *%s)\n"
                      "{\n"
                      "    return SHEAF_AT(%s, %s, %s_%s%s);\n"
                      "}\n",
                      header_c_type(b->dtype), h->entry->name, where, name, area,
                      header_c_type(b->dtype), area, h->upper, where, name);
        for (int d = 0; d < b->rank; d++)
            if (b->extent_buf[d] >= 0)
                strbuf_printf(out,
                              "/* Extent of dimension %d, valid after a run. */\n"
                              "static inline int64_t %s_extent_%d_%s(const uint8_t *activations)\n"
                              "{\n"
                              "    return *SHEAF_CONST_AT(int64_t, activations, %s_EXTENT_%d_%s);\n"
                              "}\n",
                              d, h->entry->name, d, name, h->upper, d, name);
    }
}

/* The state {key, counter} of an operator that draws random numbers. */
static bool is_generator(const struct pbuf *b)
{
    return b->area == AREA_MUTABLE && b->value && b->value->role == VALUE_STATE;
}

/* Where the network draws random numbers: all begin anew from a seed. */
static void seed_function(struct header *h)
{
    struct strbuf *out = &h->out;
    size_t n = 0;
    for (size_t i = 0; i < h->entry->n_symbols; i++) {
        if (!is_generator(symbol_buf(h, i)))
            continue;
        const char *name = h->entry->symbols[i].name;
        if (!n++)
            strbuf_printf(out,
                          "/* The random numbers of the calls to come follow from the seed alone; "
                          "zeroed state has seed 0. */\n"
                          "static inline void %s_seed(uint8_t *mutableWeightVars, uint64_t seed)\n"
                          "{\n",
                          h->entry->name);
        strbuf_printf(out,
                      "    %s_get_%s(mutableWeightVars)[0] = seed;\n"
                      "    %s_get_%s(mutableWeightVars)[1] = 0;\n",
                      h->entry->name, name, h->entry->name, name);
    }
    if (n)
        strbuf_add(out, "}\n");
}

static void enter(struct header *h, size_t i)
{
    const struct bundle_request *req = h->req;
    h->entry = &req->entries[i];
    h->upper = names_upper(h->out.arena, req->n_entries > 1 ? h->entry->name : h->stem);
}

/* Where the weights are linked in. */
static void declare_weights(struct header *h)
{
    const char *name = weights_array(h->out.arena, h->req);
    if (weights_is_array(h->req->weights_format))
        strbuf_printf(&h->out,
                      "/* The constant area. */\n"
                      "#ifdef __cplusplus\nextern \"C\" const uint8_t %s[];\n"
                      "#else\nextern const uint8_t %s[];\n#endif\n\n",
                      name, name);
}

/* One function serves all entries. */
static void declare_externs(struct header *h)
{
    const char *text = header_externs(h->out.arena, h->req->entries, h->req->n_entries);
    if (*text)
        strbuf_printf(&h->out,
                      "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n%s"
                      "#ifdef __cplusplus\n}\n#endif\n\n",
                      text);
}

static void guard_macros(struct header *h)
{
    strbuf_printf(&h->out,
                  "#ifdef %s_MEM_ALIGN\n"
                  "#error \"another bundle's name differs from this one's in capitals only\"\n"
                  "#endif\n",
                  h->upper);
}

const char *header_text(struct arena *a, const struct bundle_request *req)
{
    struct header h = {.req = req, .stem = names_legalise(a, req->name)};
    strbuf_init(&h.out, a);
    strbuf_printf(&h.out, "/*\n * Made by %s; do not edit.\n *\n", SHEAF_TOOL);
    for (size_t i = 0; i < req->n_entries; i++) {
        enter(&h, i);
        strbuf_add(&h.out, i ? " *\n" : "");
        entry_comment(&h);
    }
    strbuf_printf(&h.out,
                  " */\n#ifndef SHEAF_BUNDLE_%s_H\n"
                  "#define SHEAF_BUNDLE_%s_H\n"
                  "\n",
                  h.stem, h.stem);
    for (size_t i = 0; i < req->n_entries; i++) {
        enter(&h, i);
        guard_macros(&h);
    }
    strbuf_add(&h.out, "\n");
    contract_text(&h.out);
    strbuf_add(&h.out, "\n");
    strbuf_add(&h.out, common_macros);
    declare_weights(&h);
    declare_externs(&h);
    for (size_t i = 0; i < req->n_entries; i++) {
        enter(&h, i);
        macros(&h);
        declarations(&h);
        accessors(&h);
        seed_function(&h);
        strbuf_add(&h.out, "\n#ifdef __cplusplus\n}\n#endif\n\n");
    }
    strbuf_add(&h.out, "#endif\n");
    return strbuf_text(&h.out);
}
