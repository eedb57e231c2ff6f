#include "ir/kernel_extern.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "ir/kernel_raw.h"
#include "ir/kernel_text.h"

static const char *const kind_names[] = {"ints", "floats", "strings", "tensor"};

enum { MAX_BUFFER = INT32_MAX / 2 };

static const char prefix[] = "sheaf_extern_";

const char *kextern_symbol(struct arena *a, const char *op)
{
    char *name = arena_printf(a, "%s%s", prefix, op);
    for (char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c))
            *c = '_';
    return name;
}

bool kextern_is_symbol(const char *name)
{
    return strncmp(name, prefix, sizeof prefix - 1) == 0;
}

sheaf_extern_fn kextern_find(const struct kextern_functions *f, const char *symbol)
{
    for (size_t i = 0; f && i < f->n; i++)
        if (strcmp(f->function[i].symbol, symbol) == 0)
            return f->function[i].fn;
    return NULL;
}

uint32_t kextern_abi_kind(const struct kextern_attr *a)
{
    static const enum sheaf_attribute_kind kinds[] = {
        [KEXTERN_INTS] = SHEAF_ATTRIBUTE_INTS,
        [KEXTERN_FLOATS] = SHEAF_ATTRIBUTE_FLOATS,
        [KEXTERN_STRINGS] = SHEAF_ATTRIBUTE_STRINGS,
        [KEXTERN_TENSOR] = SHEAF_ATTRIBUTE_TENSOR,
    };
    return (uint32_t)kinds[a->kind];
}

uint32_t kextern_abi_count(const struct kextern_attr *a)
{
    switch (a->kind) {
    case KEXTERN_INTS:
        return (uint32_t)a->u.ints.n;
    case KEXTERN_FLOATS:
        return (uint32_t)a->u.floats.n;
    case KEXTERN_STRINGS:
        return (uint32_t)a->u.strings.n;
    default:
        return (uint32_t)a->u.tensor;
    }
}

struct kextern *kextern_copy(struct arena *a, const struct kextern *call)
{
    struct kextern *c = arena_copy(a, call, sizeof *call);
    c->in = arena_copy(a, call->in, (size_t)(call->n_in + call->n_tensors) * sizeof *c->in);
    c->out = arena_copy(a, call->out, (size_t)call->n_out * sizeof *c->out);
    c->attrs = arena_copy(a, call->attrs, (size_t)call->n_attrs * sizeof *c->attrs);
    return c;
}

void kernel_extern(struct kernel *k, const struct kextern *call)
{
    kval v = kernel_raw_inst(k, KOP_EXTERN, DTYPE_NONE, 0, NULL);
    k->insts[v].call = kextern_copy(k->arena, call);
    kernel_raw_append(k, k->open[k->n_open - 1], v);
}

const struct kextern *kernel_only_extern(const struct kernel *k)
{
    return k->body.n == 1 ? kernel_inst(k, k->body.insts[0])->call : NULL;
}

/* ---- text ---- */

static void print_bufs(struct strbuf *out, const int *buf, int n)
{
    strbuf_add(out, "(");
    for (int i = 0; i < n; i++) {
        strbuf_add(out, i ? ", " : "");
        if (buf[i] < 0)
            strbuf_add(out, "_");
        else
            strbuf_printf(out, "@%d", buf[i]);
    }
    strbuf_add(out, ")");
}

static void print_attr(struct strbuf *out, const struct kextern *call, const struct kextern_attr *a)
{
    strbuf_printf(out, "%s ", kind_names[a->kind]);
    kernel_print_quoted(out, a->name);
    if (a->kind == KEXTERN_TENSOR) {
        strbuf_printf(out, " @%d", call->in[a->u.tensor]);
        return;
    }
    strbuf_add(out, " (");
    for (size_t i = 0; a->kind == KEXTERN_INTS && i < a->u.ints.n; i++)
        strbuf_printf(out, "%s%" PRId64, i ? ", " : "", a->u.ints.v[i]);
    for (size_t i = 0; a->kind == KEXTERN_FLOATS && i < a->u.floats.n; i++) {
        strbuf_add(out, i ? ", " : "");
        kernel_print_literal(out, DTYPE_F32, (union kscalar){.f = (double)a->u.floats.v[i]});
    }
    for (size_t i = 0; a->kind == KEXTERN_STRINGS && i < a->u.strings.n; i++) {
        strbuf_add(out, i ? ", " : "");
        kernel_print_quoted(out, a->u.strings.v[i]);
    }
    strbuf_add(out, ")");
}

void kextern_print(struct strbuf *out, const struct kextern *call)
{
    strbuf_add(out, "extern ");
    kernel_print_quoted(out, call->op);
    strbuf_add(out, " ");
    print_bufs(out, call->in, call->n_in);
    strbuf_add(out, " -> ");
    print_bufs(out, call->out, call->n_out);
    for (int i = 0; i < call->n_attrs; i++) {
        strbuf_add(out, i ? ", " : " {");
        print_attr(out, call, &call->attrs[i]);
    }
    strbuf_add(out, call->n_attrs ? "}" : "");
}

struct list {
    int *v;
    int n;
    size_t cap;
};

static void add(struct arena *a, struct list *l, int v)
{
    size_t n = (size_t)l->n++;
    ARENA_PUSH(a, l->v, n, l->cap) = v;
}

static int parse_buf(struct ktokens *t)
{
    ktoken_expect(t, "@");
    return ktoken_small(t, MAX_BUFFER, "a buffer number out of range");
}

static struct list parse_bufs(struct ktokens *t)
{
    struct list l = {0};
    ktoken_expect(t, "(");
    while (!ktoken_failed(t) && !ktoken_peek(t, ")")) {
        if (l.n)
            ktoken_expect(t, ",");
        int buf = ktoken_accept(t, "_") ? -1 : parse_buf(t);
        add(t->arena, &l, buf);
    }
    ktoken_expect(t, ")");
    return l;
}

static bool goes_on(struct ktokens *t, size_t n)
{
    if (ktoken_failed(t) || ktoken_peek(t, ")"))
        return false;
    if (n)
        ktoken_expect(t, ",");
    return true;
}

static void parse_ints(struct ktokens *t, struct attr_ints *out)
{
    int64_t *v = NULL;
    size_t n = 0, cap = 0;
    while (goes_on(t, n)) {
        int64_t i = ktoken_integer(t);
        ARENA_PUSH(t->arena, v, n, cap) = i;
    }
    *out = (struct attr_ints){v, n};
}

static void parse_floats(struct ktokens *t, struct attr_floats *out)
{
    float *v = NULL;
    size_t n = 0, cap = 0;
    while (goes_on(t, n)) {
        union kscalar s;
        if (ktoken_literal(t, &s) != DTYPE_F32)
            ktoken_fail(t, "an attribute that is no float");
        ARENA_PUSH(t->arena, v, n, cap) = ktoken_failed(t) ? 0 : (float)s.f;
    }
    *out = (struct attr_floats){v, n};
}

static void parse_strings(struct ktokens *t, struct attr_strings *out)
{
    const char **v = NULL;
    size_t n = 0, cap = 0;
    while (goes_on(t, n)) {
        const char *s = ktoken_quoted(t);
        ARENA_PUSH(t->arena, v, n, cap) = s;
    }
    *out = (struct attr_strings){v, n};
}

static struct kextern_attr parse_attr(struct ktokens *t, struct list *in)
{
    struct kextern_attr a = {0};
    a.kind = (enum kextern_kind)ktoken_one_of(t, kind_names, KEXTERN_TENSOR + 1,
                                              "expected the kind of an attribute");
    a.name = ktoken_quoted(t);
    if (a.kind == KEXTERN_TENSOR) {
        a.u.tensor = in->n;
        int buf = parse_buf(t);
        add(t->arena, in, buf);
        return a;
    }
    ktoken_expect(t, "(");
    if (a.kind == KEXTERN_INTS)
        parse_ints(t, &a.u.ints);
    else if (a.kind == KEXTERN_FLOATS)
        parse_floats(t, &a.u.floats);
    else
        parse_strings(t, &a.u.strings);
    ktoken_expect(t, ")");
    return a;
}

struct kextern *kextern_parse(struct ktokens *t)
{
    struct kextern *call = arena_new(t->arena, struct kextern);
    size_t n = 0, cap = 0;
    call->op = ktoken_quoted(t);
    struct list in = parse_bufs(t);
    call->n_in = in.n;
    ktoken_expect(t, "->");
    struct list out = parse_bufs(t);
    bool any = ktoken_accept(t, "{");
    while (any && !ktoken_failed(t) && !ktoken_peek(t, "}")) {
        if (n)
            ktoken_expect(t, ",");
        struct kextern_attr a = parse_attr(t, &in);
        ARENA_PUSH(t->arena, call->attrs, n, cap) = a;
    }
    if (any)
        ktoken_expect(t, "}");
    call->n_attrs = (int)n;
    call->in = in.v;
    call->n_tensors = in.n - call->n_in;
    call->out = out.v;
    call->n_out = out.n;
    return call;
}

/* ---- validation ---- */

static const char *buf_fault(const struct kernel *k, int buf, bool is_written)
{
    if (buf < -1 || (buf >= 0 && (size_t)buf >= k->n_bufs))
        return "names no buffer";
    if (buf < 0)
        return NULL;
    if (!layout_is_plain(&k->bufs[buf].layout))
        return "takes buffers of the plain layout only";
    if (is_written != (k->bufs[buf].role != KBUF_IN) && k->bufs[buf].role != KBUF_LOCAL)
        return is_written ? "writes an input buffer" : "reads what is no input";
    return NULL;
}

const char *kextern_fault(const struct kernel *k, const struct kextern *call)
{
    const char *fault = NULL;
    for (int i = 0; !fault && i < call->n_in + call->n_tensors; i++)
        fault = buf_fault(k, call->in[i], false);
    for (int i = 0; !fault && i < call->n_out; i++)
        fault = buf_fault(k, call->out[i], true);
    for (int i = call->n_in; !fault && i < call->n_in + call->n_tensors; i++)
        if (call->in[i] < 0)
            fault = "has an attribute that is left out";
    return fault;
}
