/*
 * Parser of the graph's text form (graph_text.c shows it).  It reads tokens with one of look-ahead;
 * an error names the line and ends the parse.  Types of node outputs may be left out: graph_infer
 * then sets them.
 */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ir/checked.h"
#include "ir/graph.h"
#include "ir/graph_text.h"

enum { PARSE_MAX_DEPTH = 64, PARSE_MAX_ARITY = 1 << 16 };

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,   /* identifier or number */
    TOKEN_STRING, /* quoted; text is unescaped */
    TOKEN_VALUE,  /* %name; text is the name */
    TOKEN_PUNCT   /* one character */
};

struct token {
    enum token_kind kind;
    const char *text; /* terminated */
    size_t len;
    int line;
};

/* A dimension whose extent was named before it could be looked up. */
struct pending_extent {
    struct value *value;
    int dim;
    const char *name;
    int line;
};

struct parser {
    struct arena *arena;
    struct error *err;
    struct graph *g;
    const char *p; /* behind `token` */
    const char *end;
    int line; /* at p */
    int depth;
    struct token token;
    struct pending_extent *pending;
    size_t n_pending, cap_pending;
};

/* ---- tokens ---- */

static bool fail_at(struct parser *p, int line, const char *fmt, ...) ERROR_PRINTF(3, 4);

static bool fail_at(struct parser *p, int line, const char *fmt, ...)
{
    struct error fault;
    error_init(&fault);
    va_list args;
    va_start(args, fmt);
    error_setv(&fault, SHEAF_ERROR_FORMAT, fmt, args);
    va_end(args);
    return error_set(p->err, SHEAF_ERROR_FORMAT, "graph text, line %d: %s", line, fault.text);
}

static bool is_word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '+' || c == '-';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

/* p->p is at the opening quote. */
static bool scan_string(struct parser *p)
{
    const char *end = p->p + 1;
    while (*end && *end != '"' && *end != '\n')
        end += end[0] == '\\' && end[1] ? 2 : 1;
    if (*end != '"')
        return fail_at(p, p->line, "a quoted text does not end on its line");
    char *text = arena_alloc(p->arena, (size_t)(end - p->p) + 1);
    size_t n = 0;
    for (const char *s = p->p + 1; s < end; s++) {
        if (*s != '\\') {
            text[n++] = *s;
            continue;
        }
        s++;
        if (*s == '"' || *s == '\\') {
            text[n++] = *s;
        } else if (*s == 'x' && hex_digit(s[1]) >= 0 && hex_digit(s[2]) >= 0 &&
                   hex_digit(s[1]) + hex_digit(s[2]) > 0) {
            text[n++] = (char)(hex_digit(s[1]) << 4 | hex_digit(s[2]));
            s += 2;
        } else {
            return fail_at(p, p->line,
                           "a quoted text holds an escape other than \\\", \\\\, \\x..");
        }
    }
    p->token.text = text;
    p->token.len = n;
    p->p = end + 1;
    return true;
}

static bool advance(struct parser *p)
{
    for (;; p->p++) {
        if (*p->p == '#')
            p->p += strcspn(p->p, "\n");
        if (*p->p == '\n')
            p->line++;
        else if (!*p->p || !isspace((unsigned char)*p->p))
            break;
    }
    p->token.line = p->line;
    const char *start = p->p;
    if (!*start) {
        p->token = (struct token){TOKEN_END, "the end", 7, p->line};
        return true;
    }
    if (*start == '"') {
        p->token.kind = TOKEN_STRING;
        return scan_string(p);
    }
    if (*start == '%') {
        p->token.kind = TOKEN_VALUE;
        p->p++;
        if (*p->p == '"')
            return scan_string(p);
        start++;
        while (is_word_char(*p->p) || (*p->p && strchr("/:@", *p->p)))
            p->p++;
        if (p->p == start)
            return fail_at(p, p->line, "a %% is not followed by a name");
    } else if (is_word_char(*start)) {
        p->token.kind = TOKEN_WORD;
        while (is_word_char(*p->p))
            p->p++;
    } else {
        p->token.kind = TOKEN_PUNCT;
        p->p++;
    }
    p->token.len = (size_t)(p->p - start);
    p->token.text = arena_strndup(p->arena, start, p->token.len);
    return true;
}

static bool at(const struct parser *p, const char *text)
{
    return (p->token.kind == TOKEN_PUNCT || p->token.kind == TOKEN_WORD) &&
           !strcmp(p->token.text, text);
}

static bool fail_expected(struct parser *p, const char *what)
{
    return fail_at(p, p->token.line, "expected %s, found '%.40s'", what, p->token.text);
}

/* Skips the token if it is there; an error of the token behind it shows at the next step. */
static bool accept(struct parser *p, const char *text, bool *out_found)
{
    *out_found = at(p, text);
    return !*out_found || advance(p);
}

static bool expect(struct parser *p, const char *text)
{
    if (!at(p, text))
        return fail_at(p, p->token.line, "expected '%s', found '%.40s'", text, p->token.text);
    return advance(p);
}

static bool parse_string(struct parser *p, const char *what, const char **out)
{
    if (p->token.kind != TOKEN_STRING)
        return fail_expected(p, what);
    *out = p->token.text;
    return advance(p);
}

static bool parse_int(struct parser *p, int64_t lo, int64_t hi, int64_t *out)
{
    if (p->token.kind != TOKEN_WORD)
        return fail_expected(p, "an integer");
    char *end;
    errno = 0;
    long long v = strtoll(p->token.text, &end, 10);
    if (*end || end == p->token.text || errno || v < lo || v > hi)
        return fail_at(p, p->token.line, "'%.40s' is not an integer from %lld to %lld",
                       p->token.text, (long long)lo, (long long)hi);
    *out = v;
    return advance(p);
}

static bool parse_u64(struct parser *p, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(p->token.text, &end, 10);
    if (p->token.kind != TOKEN_WORD || *end || end == p->token.text || errno ||
        !isdigit((unsigned char)*p->token.text))
        return fail_expected(p, "an integer of type u64");
    return advance(p);
}

/* A number as strtod reads it, or the bits of a NaN: nan.7fc00000 (f32), nan. and 16 digits (f64).
 */
static bool parse_float(struct parser *p, double *out_f64, float *out_f32)
{
    const char *s = p->token.text;
    char *end;
    if (p->token.kind != TOKEN_WORD)
        return fail_expected(p, "a number");
    if (!strncmp(s, "nan.", 4)) {
        uint64_t bits = strtoull(s + 4, &end, 16);
        size_t digits = strlen(s + 4);
        if (*end || (digits != 8 && digits != 16))
            return fail_expected(p, "a number");
        *out_f32 = dtype_f32_of_bits((uint32_t)bits);
        *out_f64 = dtype_f64_of_bits(bits);
        return advance(p);
    }
    *out_f64 = strtod(s, &end);
    if (*end || end == s)
        return fail_expected(p, "a number");
    *out_f32 = strtof(s, &end);
    return advance(p);
}

/* ---- types, shapes, data ---- */

static bool parse_dtype(struct parser *p, enum dtype *out)
{
    *out = p->token.kind == TOKEN_WORD ? dtype_parse(p->token.text) : DTYPE_NONE;
    if (*out == DTYPE_NONE)
        return fail_expected(p, "an element type");
    return advance(p);
}

/* [2,3:%n]; `v`, where not NULL, may have extents. */
static bool parse_dims(struct parser *p, struct value *v, int *out_rank, int64_t *dims)
{
    int rank = 0;
    int line = p->token.line;
    int64_t elems = 1;
    bool found;
    if (!expect(p, "[") || !accept(p, "]", &found))
        return false;
    while (!found) {
        if (rank == MAX_RANK)
            return fail_at(p, line, "a shape has more than %d dimensions", MAX_RANK);
        if (!parse_int(p, 0, LIMIT_TENSOR_ELEMS, &dims[rank]))
            return false;
        if (!checked_mul(elems, dims[rank], &elems) || elems > LIMIT_TENSOR_ELEMS)
            return fail_at(p, line, "a shape has more than %lld elements",
                           (long long)LIMIT_TENSOR_ELEMS);
        bool extent = false;
        if (v && !accept(p, ":", &extent))
            return false;
        if (extent) {
            if (p->token.kind != TOKEN_VALUE)
                return fail_expected(p, "the value that holds the extent");
            ARENA_PUSH(p->arena, p->pending, p->n_pending, p->cap_pending) =
                (struct pending_extent){v, rank, p->token.text, p->token.line};
            if (!advance(p))
                return false;
        }
        rank++;
        if (!accept(p, "]", &found) || (!found && !expect(p, ",")))
            return false;
    }
    *out_rank = rank;
    return true;
}

static bool parse_element(struct parser *p, struct tensor *t, int64_t i)
{
    double d = 0;
    float f = 0;
    int64_t v = 0;
    uint64_t u;
    if (t->dtype == DTYPE_F64) {
        if (!parse_float(p, &d, &f))
            return false;
        tensor_set(t, i, d);
    } else if (dtype_is_float(t->dtype)) {
        if (!parse_float(p, &d, &f))
            return false;
        tensor_set(t, i, (double)f);
    } else if (t->dtype == DTYPE_U64) {
        if (!parse_u64(p, &u))
            return false;
        tensor_set_int(t, i, (int64_t)u);
    } else {
        if (!parse_int(p, dtype_int_min(t->dtype), dtype_int_max(t->dtype), &v))
            return false;
        tensor_set_int(t, i, v);
    }
    return true;
}

static bool parse_hex(struct parser *p, struct tensor *t, int line)
{
    const char *s = p->token.text;
    size_t bytes = (size_t)tensor_bytes(t);
    if (p->token.kind != TOKEN_WORD || p->token.len != 2 * bytes)
        return fail_at(p, line, "a constant of %zu bytes does not have %zu hexadecimal digits",
                       bytes, 2 * bytes);
    uint8_t *data = tensor_data(t);
    for (size_t i = 0; i < bytes; i++) {
        int hi = hex_digit(s[2 * i]), lo = hex_digit(s[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return fail_at(p, line, "a constant holds what is not a hexadecimal digit");
        data[i] = (uint8_t)(hi << 4 | lo);
    }
    return advance(p);
}

static bool parse_data(struct parser *p, enum dtype dtype, int rank, const int64_t *dims,
                       const struct tensor **out)
{
    int line = p->token.line;
    int64_t elems = dims_elems(rank, dims);
    int64_t bytes = dtype_bytes(dtype, elems);
    bool braces, fill, hex;
    if (!accept(p, "{", &braces) || (!braces && !accept(p, "fill", &fill)))
        return false;
    if (braces || !fill) {
        /* The elements stand in the text: storage is made only if there is text enough. */
        if ((size_t)bytes > 8 * (size_t)(p->end - p->p) + 8)
            return fail_at(p, line, "a constant of %lld elements does not have as many",
                           (long long)elems);
    } else if (bytes > GRAPH_TEXT_MAX_FILL_BYTES) {
        return fail_at(p, line, "a constant of %lld bytes is too large for 'fill'",
                       (long long)bytes);
    }
    struct tensor *t = tensor_new(p->arena, dtype, rank, dims);
    *out = t;
    if (braces) {
        for (int64_t i = 0; i < elems; i++)
            if ((i && !expect(p, ",")) || !parse_element(p, t, i))
                return false;
        return expect(p, "}");
    }
    if (fill) {
        if (elems == 0)
            return fail_at(p, line, "a constant without elements cannot be filled");
        if (!parse_element(p, t, 0))
            return false;
        size_t elem = dtype_bits(dtype) / 8;
        char *data = tensor_data(t);
        for (int64_t i = 1; i < elems; i++) {
            if (elem)
                memcpy(data + (size_t)i * elem, data, elem);
            else
                tensor_set_int(t, i, tensor_get_int(t, 0));
        }
        return true;
    }
    if (!accept(p, "hex", &hex))
        return false;
    return hex ? parse_hex(p, t, line) : fail_expected(p, "'{', 'fill' or 'hex'");
}

/* ---- values ---- */

static bool resolve_extents(struct parser *p)
{
    for (size_t i = 0; i < p->n_pending; i++) {
        const struct pending_extent *e = &p->pending[i];
        struct value *v = graph_find_value(p->g, e->name);
        if (!v)
            return fail_at(p, e->line, "the extent '%%%s' is not defined", e->name);
        e->value->shape.extent[e->dim] = v;
    }
    p->n_pending = 0;
    return true;
}

static bool parse_value_type(struct parser *p, struct value *v)
{
    bool found;
    if (!parse_dtype(p, &v->dtype) || !parse_dims(p, v, &v->shape.rank, v->shape.dims))
        return false;
    v->layout = layout_plain(v->shape.rank);
    if (!accept(p, "layout", &found))
        return false;
    if (found) {
        const char *text = NULL;
        int line = p->token.line;
        struct error fault;
        error_init(&fault);
        if (!parse_string(p, "a quoted layout", &text))
            return false;
        if (!layout_parse(text, v->shape.rank, &v->layout, &fault))
            return fail_at(p, line, "%s", fault.text);
    }
    if (!accept(p, "quant", &found))
        return false;
    if (found) {
        double scale;
        int64_t zero_point;
        if (!parse_float(p, &scale, &v->quant.scale) ||
            !parse_int(p, INT32_MIN, INT32_MAX, &zero_point))
            return false;
        v->quant.zero_point = (int32_t)zero_point;
    }
    return true;
}

/* A definition: %name, with its type or (where `typed` is false) perhaps without. */
static bool parse_definition(struct parser *p, enum value_role role, bool typed, struct value **out)
{
    if (p->token.kind != TOKEN_VALUE)
        return fail_expected(p, "a value");
    if (graph_find_value(p->g, p->token.text))
        return fail_at(p, p->token.line, "the value '%%%s' is defined twice", p->token.text);
    struct value *v = graph_add_value(p->g, p->token.text, role);
    *out = v;
    if (!advance(p))
        return false;
    if (!typed && p->token.kind != TOKEN_WORD)
        return true;
    return parse_value_type(p, v);
}

static bool parse_use(struct parser *p, bool optional, struct value **out)
{
    *out = NULL;
    if (optional && at(p, "_"))
        return advance(p);
    if (p->token.kind != TOKEN_VALUE)
        return fail_expected(p, "a value");
    *out = graph_find_value(p->g, p->token.text);
    if (!*out)
        return fail_at(p, p->token.line, "the value '%%%s' is not defined", p->token.text);
    return advance(p);
}

/* ---- attributes ---- */

/* [a,b,c]: calls `element` for each. */
static bool parse_list(struct parser *p, bool (*element)(struct parser *, void *), void *arg)
{
    bool found;
    if (!expect(p, "[") || !accept(p, "]", &found))
        return false;
    while (!found) {
        if (!element(p, arg) || !accept(p, "]", &found) || (!found && !expect(p, ",")))
            return false;
    }
    return true;
}

struct list {
    void *v;
    size_t n, cap;
};

static bool parse_list_int(struct parser *p, void *arg)
{
    struct list *l = arg;
    int64_t *v = l->v, x;
    if (!parse_int(p, INT64_MIN, INT64_MAX, &x))
        return false;
    ARENA_PUSH(p->arena, v, l->n, l->cap) = x;
    l->v = v;
    return true;
}

static bool parse_list_float(struct parser *p, void *arg)
{
    struct list *l = arg;
    float *v = l->v, x;
    double d;
    if (!parse_float(p, &d, &x))
        return false;
    ARENA_PUSH(p->arena, v, l->n, l->cap) = x;
    l->v = v;
    return true;
}

static bool parse_list_string(struct parser *p, void *arg)
{
    struct list *l = arg;
    const char **v = l->v, *x = NULL;
    if (!parse_string(p, "a quoted text", &x))
        return false;
    ARENA_PUSH(p->arena, v, l->n, l->cap) = x;
    l->v = v;
    return true;
}

static bool parse_attr_tensor(struct parser *p, const struct tensor **out)
{
    enum dtype dtype;
    int rank;
    int64_t dims[MAX_RANK];
    return parse_dtype(p, &dtype) && parse_dims(p, NULL, &rank, dims) &&
           parse_data(p, dtype, rank, dims, out);
}

static bool parse_attr_value(struct parser *p, enum attr_kind kind, void *field)
{
    struct list l = {arena_alloc(p->arena, 0), 0, 0};
    double d;
    switch (kind) {
    case ATTR_KIND_INT:
        return parse_int(p, INT64_MIN, INT64_MAX, field);
    case ATTR_KIND_FLOAT:
        return parse_float(p, &d, field);
    case ATTR_KIND_STRING:
        return parse_string(p, "a quoted text", field);
    case ATTR_KIND_INTS:
        if (!parse_list(p, parse_list_int, &l))
            return false;
        *(struct attr_ints *)field = (struct attr_ints){l.v, l.n};
        return true;
    case ATTR_KIND_FLOATS:
        if (!parse_list(p, parse_list_float, &l))
            return false;
        *(struct attr_floats *)field = (struct attr_floats){l.v, l.n};
        return true;
    case ATTR_KIND_STRINGS:
        if (!parse_list(p, parse_list_string, &l))
            return false;
        *(struct attr_strings *)field = (struct attr_strings){l.v, l.n};
        return true;
    case ATTR_KIND_TENSOR:
        return parse_attr_tensor(p, field);
    }
    return false;
}

static bool parse_attr(struct parser *p, struct node *n)
{
    const struct op_desc *d = op_desc(n->op);
    for (size_t i = 0; i < d->n_attrs && p->token.kind == TOKEN_WORD; i++)
        if (!strcmp(d->attrs[i].name, p->token.text))
            return advance(p) && expect(p, "=") &&
                   parse_attr_value(p, d->attrs[i].kind, (char *)n->attrs + d->attrs[i].offset);
    return fail_at(p, p->token.line, "%s has no attribute '%.40s'", d->id, p->token.text);
}

static bool parse_attrs(struct parser *p, struct node *n)
{
    bool more;
    if (!accept(p, "{", &more))
        return false;
    if (!more)
        return true;
    do {
        if (!parse_attr(p, n) || !accept(p, ",", &more))
            return false;
    } while (more);
    return expect(p, "}");
}

/* ---- nodes and blocks ---- */

static bool parse_block(struct parser *p, struct block *b);

static bool parse_inner_block(struct parser *p, struct node *n, size_t *cap)
{
    struct block *b = graph_add_block(p->g);
    struct value *v;
    bool closed;
    ARENA_PUSH(p->g->arena, n->blocks, n->n_blocks, *cap) = b;
    if (!expect(p, "(") || !accept(p, ")", &closed))
        return false;
    while (!closed) {
        if (!parse_definition(p, VALUE_ARG, false, &v))
            return false;
        block_add_input(p->g, b, v);
        if (!accept(p, ")", &closed) || (!closed && !expect(p, ",")))
            return false;
    }
    return resolve_extents(p) && expect(p, "{") && parse_block(p, b);
}

struct values {
    struct value **v;
    size_t n, cap;
};

/* Left of '='; '_' is an output that there is none of. */
static bool parse_outputs(struct parser *p, struct values *out)
{
    bool more = !at(p, "=");
    while (more) {
        struct value *v = NULL;
        if (at(p, "_") ? !advance(p) : !parse_definition(p, VALUE_TEMP, false, &v))
            return false;
        ARENA_PUSH(p->arena, out->v, out->n, out->cap) = v;
        if (!accept(p, ",", &more))
            return false;
    }
    return expect(p, "=");
}

static bool parse_inputs(struct parser *p, struct values *in)
{
    bool closed;
    if (!expect(p, "(") || !accept(p, ")", &closed))
        return false;
    while (!closed) {
        struct value *v;
        if (!parse_use(p, true, &v))
            return false;
        ARENA_PUSH(p->arena, in->v, in->n, in->cap) = v;
        if (!accept(p, ")", &closed) || (!closed && !expect(p, ",")))
            return false;
    }
    return true;
}

static bool parse_region(struct parser *p, struct node *n)
{
    bool given;
    int64_t region;
    if (!accept(p, "region", &given))
        return false;
    if (!given)
        return true;
    if (!parse_int(p, 1, UINT32_MAX, &region))
        return false;
    n->region = (uint32_t)region;
    if (n->region > p->g->n_regions)
        p->g->n_regions = n->region;
    return true;
}

static bool parse_inner_blocks(struct parser *p, struct node *n)
{
    size_t cap = 0;
    for (;;) {
        bool more;
        if (!accept(p, "do", &more))
            return false;
        if (!more)
            return true;
        if (!parse_inner_block(p, n, &cap))
            return false;
    }
}

/* The outputs are on the left of the operator, so they are collected before there is a node. */
static bool parse_node(struct parser *p, struct block *b)
{
    struct values out = {NULL, 0, 0}, in = {NULL, 0, 0};
    const char *name = NULL;
    if (!parse_outputs(p, &out))
        return false;
    enum op op = p->token.kind == TOKEN_WORD ? op_by_id(p->token.text) : OP_NONE;
    if (op == OP_NONE)
        return fail_at(p, p->token.line, "there is no operator '%.40s'", p->token.text);
    if (!advance(p) || (p->token.kind == TOKEN_STRING && !parse_string(p, "", &name)) ||
        !parse_inputs(p, &in))
        return false;
    if (in.n > PARSE_MAX_ARITY || out.n > PARSE_MAX_ARITY)
        return fail_at(p, p->token.line, "a node has more than %d inputs or outputs",
                       PARSE_MAX_ARITY);
    struct node *n = graph_add_node(p->g, b, op, name, in.n, out.n);
    for (size_t i = 0; i < in.n; i++)
        n->in[i] = in.v[i];
    for (size_t i = 0; i < out.n; i++) {
        n->out[i] = out.v[i];
        if (out.v[i])
            out.v[i]->producer = n;
    }
    if (!n->name)
        n->name = graph_text_node_name(n);
    return resolve_extents(p) && parse_attrs(p, n) && parse_region(p, n) &&
           accept(p, "host", &n->on_host) && parse_inner_blocks(p, n);
}

static size_t position(struct value *const *v, size_t n, const struct value *one)
{
    size_t i = 0;
    while (i < n && v[i] != one)
        i++;
    return i;
}

/* What follows `bind`: an output and an input of the body. */
static bool parse_binding(struct parser *p)
{
    struct graph *g = p->g;
    struct value *out, *in;
    int line = p->token.line;
    if (!parse_use(p, false, &out) || !parse_use(p, false, &in))
        return false;
    struct graph_binding b = {.out = position(g->body.out, g->body.n_out, out),
                              .in = position(g->body.in, g->body.n_in, in)};
    if (b.out == g->body.n_out || b.in == g->body.n_in)
        return fail_at(p, line, "what is bound is not an output and an input of the graph");
    ARENA_PUSH(g->arena, g->bindings, g->n_bindings, g->cap_bindings) = b;
    return true;
}

/* From behind the opening brace to behind the closing one. */
static bool parse_block(struct parser *p, struct block *b)
{
    bool more;
    if (++p->depth > PARSE_MAX_DEPTH)
        return fail_at(p, p->token.line, "blocks are nested more than %d deep", PARSE_MAX_DEPTH);
    while (!at(p, "return")) {
        if (!at(p, "=") && !at(p, "_") && p->token.kind != TOKEN_VALUE)
            return fail_expected(p, "a node or 'return'");
        if (!parse_node(p, b))
            return false;
    }
    if (!advance(p))
        return false;
    for (more = p->token.kind == TOKEN_VALUE; more;) {
        struct value *v;
        if (!parse_use(p, false, &v))
            return false;
        block_add_output(p->g, b, v);
        if (!accept(p, ",", &more))
            return false;
    }
    for (more = b == &p->g->body; more;)
        if (!accept(p, "bind", &more) || (more && !parse_binding(p)))
            return false;
    p->depth--;
    return expect(p, "}");
}

static bool parse_global(struct parser *p, bool *out_more)
{
    struct value *v;
    bool found;
    *out_more = true;
    if (!accept(p, "input", &found))
        return false;
    if (found) {
        if (!parse_definition(p, VALUE_INPUT, true, &v))
            return false;
        block_add_input(p->g, &p->g->body, v);
        return true;
    }
    if (!accept(p, "state", &found))
        return false;
    if (found)
        return parse_definition(p, VALUE_STATE, true, &v);
    if (!accept(p, "const", &found))
        return false;
    if (found)
        return parse_definition(p, VALUE_CONST, true, &v) && expect(p, "=") &&
               parse_data(p, v->dtype, v->shape.rank, v->shape.dims, &v->constant);
    *out_more = false;
    return true;
}

static bool parse_graph(struct parser *p)
{
    const char *name = NULL;
    bool found, more = true;
    if (!advance(p) || !expect(p, "graph") || !parse_string(p, "the quoted name", &name))
        return false;
    p->g = graph_create(p->arena, name);
    if (!accept(p, "source", &found) ||
        (found && !parse_string(p, "the quoted source", &p->g->source)) ||
        !accept(p, "items", &found) ||
        (found && (!parse_string(p, "the quoted name", &p->g->items) ||
                   !parse_int(p, 1, LIMIT_TENSOR_ELEMS, &p->g->max_items))) ||
        !expect(p, "{"))
        return false;
    while (more)
        if (!parse_global(p, &more))
            return false;
    if (!resolve_extents(p) || !parse_block(p, &p->g->body))
        return false;
    return p->token.kind == TOKEN_END || fail_expected(p, "the end of the text");
}

struct graph *graph_parse(struct arena *arena, const char *text, struct error *err)
{
    struct parser p = {
        .arena = arena, .err = err, .p = text, .end = text + strlen(text), .line = 1};
    return parse_graph(&p) ? p.g : NULL;
}
