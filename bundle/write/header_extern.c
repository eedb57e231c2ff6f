/* What a header says of the user's functions: a prototype for each, and what its nodes give it. */
#include <inttypes.h>
#include <string.h>

#include "bundle/write/header.h"

struct functions {
    struct strbuf *out;
    const char **op; /* that have a prototype already */
    size_t n, cap;
    const char *wanted; /* whose nodes are listed; NULL: the first without a prototype is sought */
};

/* ---- a node ---- */

static void print_tensor(struct strbuf *out, const struct kernel *k, int buf)
{
    if (buf < 0) {
        strbuf_add(out, "left out");
        return;
    }
    const struct kbuf *b = &k->bufs[buf];
    strbuf_printf(out, "%s[", dtype_name(b->dtype));
    for (int d = 0; d < b->rank; d++)
        strbuf_printf(out, "%s%s%" PRId64, d ? "," : "",
                      b->extent_buf[d] < 0 ? "" : "<=", b->dims[d]);
    strbuf_add(out, "] ");
    header_comment_text(out, b->name);
}

static void print_tensors(struct strbuf *out, const char *what, const struct kernel *k,
                          const int *buf, int n)
{
    for (int i = 0; i < n; i++) {
        strbuf_printf(out, " *     %s[%d]: ", what, i);
        print_tensor(out, k, buf[i]);
        strbuf_add(out, "\n");
    }
}

static void print_values(struct strbuf *out, const struct kextern_attr *a)
{
    enum { MOST = 16 };
    uint32_t n = kextern_abi_count(a);
    for (uint32_t i = 0; i < n && i < MOST; i++) {
        strbuf_add(out, i ? ", " : "");
        if (a->kind == KEXTERN_INTS) {
            strbuf_printf(out, "%" PRId64, a->u.ints.v[i]);
        } else if (a->kind == KEXTERN_FLOATS) {
            strbuf_printf(out, "%.9g", (double)a->u.floats.v[i]);
        } else {
            strbuf_add(out, "\"");
            header_comment_text(out, a->u.strings.v[i]);
            strbuf_add(out, "\"");
        }
    }
    strbuf_add(out, n > MOST ? ", ..." : "");
}

static void print_attribute(struct strbuf *out, const struct kextern_attr *a, int i)
{
    static const char *const kinds[] = {
        [KEXTERN_INTS] = "ints", [KEXTERN_FLOATS] = "floats", [KEXTERN_STRINGS] = "strings"};
    strbuf_printf(out, " *     attributes[%d]: ", i);
    header_comment_text(out, a->name);
    if (a->kind == KEXTERN_TENSOR) {
        strbuf_printf(out, ", a tensor: inputs[%d]\n", a->u.tensor);
        return;
    }
    strbuf_printf(out, ", %s: ", kinds[a->kind]);
    print_values(out, a);
    strbuf_add(out, "\n");
}

static void print_node(struct strbuf *out, const struct step *s, const struct kextern *call)
{
    strbuf_add(out, " *   ");
    header_comment_text(out, s->name);
    strbuf_add(out, "\n");
    print_tensors(out, "inputs", s->kernel, call->in, call->n_in + call->n_tensors);
    print_tensors(out, "outputs", s->kernel, call->out, call->n_out);
    for (int i = 0; i < call->n_attrs; i++)
        print_attribute(out, &call->attrs[i], i);
}

/* ---- functions ---- */

static bool is_declared(const struct functions *f, const char *op)
{
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->op[i], op) == 0)
            return true;
    return false;
}

static void look_at(struct step *s, void *arg)
{
    struct functions *f = arg;
    const struct kextern *call = s->kind == STEP_CALL ? kernel_only_extern(s->kernel) : NULL;
    if (!call)
        return;
    if (!f->wanted && !is_declared(f, call->op)) {
        f->wanted = call->op;
        ARENA_PUSH(f->out->arena, f->op, f->n, f->cap) = call->op;
        strbuf_add(f->out, "/*\n * The operator ");
        header_comment_text(f->out, call->op);
        strbuf_add(f->out, ": the program defines this function, which is called for\n");
    }
    if (f->wanted && strcmp(f->wanted, call->op) == 0)
        print_node(f->out, s, call);
}

/* That of the first operator that has none yet; false where all have. */
static bool print_function(struct functions *f, const struct emit_entry *entries, size_t n)
{
    f->wanted = NULL;
    for (size_t i = 0; i < n; i++)
        program_each_step(&entries[i].parts[0].program->body, look_at, f);
    if (f->wanted)
        strbuf_printf(f->out, " */\nvoid %s(const struct sheaf_extern_call *call);\n\n",
                      kextern_symbol(f->out->arena, f->wanted));
    return f->wanted != NULL;
}

const char *header_externs(struct arena *a, const struct emit_entry *entries, size_t n)
{
    struct strbuf out;
    struct functions f = {.out = &out};
    strbuf_init(&out, a);
    while (print_function(&f, entries, n))
        ;
    return strbuf_text(&out);
}
