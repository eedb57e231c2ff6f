#include "bundle/write/header.h"

#include <inttypes.h>
#include <string.h>

#include "bundle/write/names.h"
#include "ir/version.h"

struct header {
    struct strbuf out;
    const struct bundle_request *req;
    const char *stem;  /* the bundle's name as an identifier */
    const char *upper; /* the same in capitals: prefix of the macros */
};

/* Text from a model inside a comment: nothing that ends it or starts another, or that a compiler
   or terminal would take for something else. */
static void comment_text(struct strbuf *out, const char *s)
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
    return &h->req->program->bufs[h->req->symbols[i].buf];
}

static int64_t symbol_elems(const struct pbuf *b)
{
    return layout_elems(&b->layout, b->dims);
}

/* ---- the comment on top ---- */

static void symbol_comment(struct header *h, size_t i)
{
    static const char *const roles[] = {"constant", "input", "output", "state"};
    struct strbuf *out = &h->out;
    const struct pbuf *b = symbol_buf(h, i);
    strbuf_printf(out, " *   %s: %s %s[", h->req->symbols[i].name, roles[b->role],
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
    strbuf_printf(out, ", %" PRId64 " bytes at %" PRId64 ", \"", b->bytes, b->offset);
    comment_text(out, b->name);
    strbuf_add(out, "\"\n");
}

static void comment_line(struct header *h, const char *what, const char *text)
{
    strbuf_printf(&h->out, " * %s", what);
    comment_text(&h->out, text);
    strbuf_add(&h->out, "\n");
}

static void top_comment(struct header *h)
{
    const struct program *p = h->req->program;
    const struct target *t = h->req->target;
    int64_t activations = p->area_bytes[AREA_ACTIVATION];
    struct strbuf *out = &h->out;
    strbuf_printf(out, "/*\n * Made by %s; do not edit.\n *\n", SHEAF_TOOL);
    comment_line(h, "Model:     ", h->req->source);
    comment_line(h, "Target:    ", t->triple);
    comment_line(h, "Processor: ", t->cpu);
    comment_line(h, "Features:  ", t->features);
    strbuf_printf(out,
                  " * Memory:    %" PRId64 " bytes constant, %" PRId64 " mutable, %" PRId64
                  " activations\n",
                  p->area_bytes[AREA_CONSTANT], p->area_bytes[AREA_MUTABLE], activations);
    strbuf_printf(out,
                  " *            (of the activations %" PRId64 " are alive at once, %.1f%%)\n *\n",
                  p->peak_live_bytes,
                  activations ? 100.0 * (double)p->peak_live_bytes / (double)activations : 100.0);
    strbuf_add(out,
               " * Symbols: name, role, type and shape, place in its area, name in the model\n");
    for (size_t i = 0; i < h->req->n_symbols; i++)
        symbol_comment(h, i);
    strbuf_add(out, " */\n");
}

/* ---- what all bundles share ---- */

/* bundle/bundle.h, line by line: the header carries the contract, so that it needs no other file.
   The guard is the contract's own, so copies in several headers do not collide. */
static const char *const contract[] = {
#include "bundle/contract.inc"
};

static const char common_macros[] =
    "#ifndef SHEAF_BUNDLE_MACROS_DEFINED\n"
    "#define SHEAF_BUNDLE_MACROS_DEFINED\n"
    "\n"
    "/* What lies `offset` bytes into an area. */\n"
    "#ifdef __cplusplus\n"
    "#define SHEAF_AT(type, area, offset) "
    "static_cast<type *>(static_cast<void *>((area) + (offset)))\n"
    "#define SHEAF_CONST_AT(type, area, offset) "
    "static_cast<const type *>(static_cast<const void *>((area) + (offset)))\n"
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

static void macros(struct header *h)
{
    const struct program *p = h->req->program;
    struct strbuf *out = &h->out;
    strbuf_printf(out,
                  "/* The areas: sizes and alignment in bytes. */\n"
                  "#define %s_CONSTANT_MEM_SIZE %" PRId64 "\n"
                  "#define %s_MUTABLE_MEM_SIZE %" PRId64 "\n"
                  "#define %s_ACTIVATIONS_MEM_SIZE %" PRId64 "\n"
                  "#define %s_MEM_ALIGN %d\n\n",
                  h->upper, p->area_bytes[AREA_CONSTANT], h->upper, p->area_bytes[AREA_MUTABLE],
                  h->upper, p->area_bytes[AREA_ACTIVATION], h->upper, PROGRAM_ALIGNMENT);
    strbuf_add(out, "/* Inputs, outputs and state: offset in the mutable area, size. */\n");
    for (size_t i = 0; i < h->req->n_symbols; i++) {
        const struct pbuf *b = symbol_buf(h, i);
        const char *name = h->req->symbols[i].name;
        if (b->area != AREA_MUTABLE)
            continue;
        strbuf_printf(out, "#define %s_%s %" PRId64 "\n", h->upper, name, b->offset);
        strbuf_printf(out, "#define %s_BYTES_%s %" PRId64 "\n", h->upper, name, b->bytes);
        strbuf_printf(out, "#define %s_ELEMS_%s %" PRId64 "\n", h->upper, name, symbol_elems(b));
        for (int d = 0; d < b->rank; d++)
            if (b->extent_buf[d] >= 0)
                strbuf_printf(out,
                              "/* Offset in the activations of the extent of dimension %d. */\n"
                              "#define %s_EXTENT_%d_%s %" PRId64 "\n",
                              d, h->upper, d, name, p->bufs[b->extent_buf[d]].offset);
    }
}

static void declarations(struct header *h)
{
    const char *entry = h->req->entry;
    strbuf_printf(&h->out,
                  "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n"
                  "/* The inference function; 0 is success. */\n"
                  "int %s(uint8_t *constantWeightVars, uint8_t *mutableWeightVars,\n"
                  "    uint8_t *activations);\n\n"
                  "extern const struct BundleConfig %s_config;\n"
                  "extern const struct sheaf_bundle_info %s_info;\n\n",
                  entry, entry, entry);
}

/* Half floats have no type in C99; 4-bit elements come two a byte. */
static const char *c_type(enum dtype t)
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
    strbuf_add(out, "/* The tensors inside the areas. */\n");
    for (size_t i = 0; i < h->req->n_symbols; i++) {
        const struct pbuf *b = symbol_buf(h, i);
        const char *name = h->req->symbols[i].name;
        if (b->area != AREA_MUTABLE)
            continue;
        strbuf_printf(out,
                      "static inline %s *%s_get_%s(uint8_t *mutableWeightVars)\n"
                      "{\n"
                      "    return SHEAF_AT(%s, mutableWeightVars, %s_%s);\n"
                      "}\n",
                      c_type(b->dtype), h->req->entry, name, c_type(b->dtype), h->upper, name);
        for (int d = 0; d < b->rank; d++)
            if (b->extent_buf[d] >= 0)
                strbuf_printf(out,
                              "/* Extent of dimension %d, valid after a run. */\n"
                              "static inline int64_t %s_extent_%d_%s(const uint8_t *activations)\n"
                              "{\n"
                              "    return *SHEAF_CONST_AT(int64_t, activations, %s_EXTENT_%d_%s);\n"
                              "}\n",
                              d, h->req->entry, d, name, h->upper, d, name);
    }
}

static const char *upper_case(struct arena *a, const char *s)
{
    char *u = arena_strdup(a, s);
    for (char *c = u; *c; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    return u;
}

const char *header_text(struct arena *a, const struct bundle_request *req)
{
    struct header h = {.req = req, .stem = names_legalise(a, req->name)};
    h.upper = upper_case(a, h.stem);
    strbuf_init(&h.out, a);
    top_comment(&h);
    strbuf_printf(&h.out,
                  "#ifndef SHEAF_BUNDLE_%s_H\n"
                  "#define SHEAF_BUNDLE_%s_H\n"
                  "\n"
                  "#ifdef %s_MEM_ALIGN\n"
                  "#error \"another bundle's name differs from this one's in capitals only\"\n"
                  "#endif\n"
                  "\n",
                  h.stem, h.stem, h.upper);
    for (size_t i = 0; i < sizeof contract / sizeof *contract; i++)
        strbuf_add(&h.out, contract[i]);
    strbuf_add(&h.out, "\n");
    strbuf_add(&h.out, common_macros);
    macros(&h);
    declarations(&h);
    accessors(&h);
    strbuf_add(&h.out, "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
    return strbuf_text(&h.out);
}
