#include "bundle/write/weights_form.h"

#include <string.h>

#include "bundle/emit/emit_weights.h"
#include "bundle/write/names.h"
#include "ir/strbuf.h"
#include "ir/version.h"

bool weights_is_array(enum weights_format f)
{
    return f == WEIGHTS_C || f == WEIGHTS_OBJECT;
}

const char *weights_array(struct arena *a, const struct bundle_request *req)
{
    return arena_printf(a, "%s_weights", names_legalise(a, req->name));
}

/* Names that mean something by themselves to linkers, loaders and tools: weights there would be
   thrown away, or taken for pointers to functions.  What follows is the end, '.' or '_'. */
static bool is_taken(const char *section)
{
    static const char *const taken[] = {
        ".ARM",    ".bss",      ".comment", ".ctors",  ".debug",   ".dtors", ".dynamic", ".dynstr",
        ".dynsym", ".eh",       ".fini",    ".gcc",    ".gnu",     ".got",   ".group",   ".hash",
        ".init",   ".interp",   ".note",    ".plt",    ".preinit", ".rel",   ".rela",    ".riscv",
        ".sbss",   ".shstrtab", ".strtab",  ".symtab", ".tbss",    ".tdata"};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        size_t n = strlen(taken[i]);
        if (strncmp(section, taken[i], n) == 0 && strchr("._", section[n]))
            return true;
    }
    return false;
}

bool weights_check_section(const char *section, struct error *err)
{
    static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.$";
    size_t n = strspn(section, legal);
    if (!*section)
        return error_set(err, SHEAF_ERROR_ARGUMENT, "option -section: the name is empty");
    if (section[n])
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -section: '%s' is no section's name: letters, digits, '_', '.' "
                         "and '$' make one",
                         section);
    if (is_taken(section))
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -section: '%s' has a meaning of its own in an object file, so no "
                         "weights can lie there",
                         section);
    return true;
}

/* ---- C ---- */

static void add_number(struct strbuf *out, uint8_t v)
{
    char text[4];
    size_t n = 0;
    if (v >= 100)
        text[n++] = (char)('0' + v / 100);
    if (v >= 10)
        text[n++] = (char)('0' + v / 10 % 10);
    text[n++] = (char)('0' + v % 10);
    text[n++] = ',';
    strbuf_addn(out, text, n);
}

static void add_attributes(struct strbuf *out, const char *section)
{
    strbuf_add(out, "#if defined(__GNUC__)\n");
    if (section)
        strbuf_printf(out, "__attribute__((aligned(%d), section(\"%s\")))\n", PROGRAM_ALIGNMENT,
                      section);
    else
        strbuf_printf(out, "__attribute__((aligned(%d)))\n", PROGRAM_ALIGNMENT);
    if (section)
        strbuf_printf(out, "#else\n#error \"how is an array put into section %s here?\"\n",
                      section);
    else
        strbuf_printf(out, "#elif defined(__cplusplus)\nalignas(%d)\n#else\n_Alignas(%d)\n",
                      PROGRAM_ALIGNMENT, PROGRAM_ALIGNMENT);
    strbuf_add(out, "#endif\n");
}

/* C99 and C++.  An array cannot be empty. */
static struct bytes c_text(struct arena *a, const struct bundle_request *req)
{
    enum { A_LINE = 24 };
    static const uint8_t zero;
    const char *name = weights_array(a, req);
    const struct weights *w = &req->weights;
    const uint8_t *data = w->size ? w->data : &zero;
    size_t n = w->size ? w->size : 1;
    struct strbuf out;
    strbuf_init(&out, a);
    strbuf_printf(&out,
                  "/* Made by %s; do not edit. */\n#include <stdint.h>\n\n"
                  "#ifdef __cplusplus\nextern \"C\" const uint8_t %s[%zu];\n"
                  "#else\nextern const uint8_t %s[%zu];\n#endif\n\n",
                  SHEAF_TOOL, name, n, name, n);
    add_attributes(&out, req->weights_section);
    strbuf_printf(&out, "const uint8_t %s[%zu] = {", name, n);
    for (size_t i = 0; i < n; i++) {
        if (i % A_LINE == 0)
            strbuf_add(&out, "\n");
        add_number(&out, data[i]);
    }
    strbuf_add(&out, "\n};\n");
    const char *text = strbuf_text(&out);
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

/* ---- all ---- */

static bool make_object(struct arena *a, const struct bundle_request *req, struct bytes *out_object,
                        struct error *err)
{
    const struct target *target = req->entries[0].parts[0].target;
    struct emit_weights weights = {
        .name = weights_array(a, req),
        .section = req->weights_section,
        .target = target->host ? target->host : target, /* of a device */
        .data = {req->weights.data, req->weights.size},
    };
    return emit_weights(a, &weights, out_object, err);
}

bool weights_file(struct arena *a, const struct bundle_request *req, const char **out_suffix,
                  struct bytes *out_content, struct error *err)
{
    switch (req->weights_format) {
    case WEIGHTS_C:
        *out_suffix = "_weights.c";
        *out_content = c_text(a, req);
        return true;
    case WEIGHTS_OBJECT:
        *out_suffix = "_weights.o";
        return make_object(a, req, out_content, err);
    case WEIGHTS_NONE:
        *out_suffix = NULL;
        *out_content = (struct bytes){0};
        return true;
    default:
        *out_suffix = ".weights";
        *out_content = (struct bytes){req->weights.data, req->weights.size};
        return true;
    }
}
