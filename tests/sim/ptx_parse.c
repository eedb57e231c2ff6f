/*
 * The outer half of the parser: directives of the module, variables, heads of functions.
 */
#include "tests/sim/ptx_parse.h"

#include <string.h>

#include "tests/sim/ptx_memory.h"

enum { MAX_VARIABLE_BYTES = 1 << 30 };

const struct ptx_type_info ptx_types[PTX_N_TYPES] = {
#define PTX_TYPE(name, bytes, kind) {#name, bytes, kind},
    PTX_TYPES(PTX_TYPE)
#undef PTX_TYPE
};

enum ptx_type ptx_type_by_name(const char *name, size_t n_chars)
{
    for (int t = 0; t < PTX_N_TYPES; t++)
        if (strlen(ptx_types[t].name) == n_chars && memcmp(ptx_types[t].name, name, n_chars) == 0)
            return (enum ptx_type)t;
    return PTX_N_TYPES;
}

bool ptx_parse_fail(struct ptx_parser *p, const char *what)
{
    const struct ptx_token *t = &p->lex.token;
    return error_set(p->err, SHEAF_ERROR_FORMAT, "PTX line %d: %s at '%.*s'", t->line, what,
                     (int)(t->n_chars < 60 ? t->n_chars : 60), t->text);
}

char *ptx_parse_take_word(struct ptx_parser *p)
{
    if (p->lex.token.kind != PTX_TOKEN_WORD) {
        ptx_parse_fail(p, "a name is expected");
        return NULL;
    }
    char *word = arena_strndup(&p->module->arena, p->lex.token.text, p->lex.token.n_chars);
    ptx_lex_next(&p->lex);
    return word;
}

bool ptx_parse_take_sign(struct ptx_parser *p, char sign)
{
    if (!ptx_lex_is_sign(&p->lex, sign))
        return error_set(p->err, SHEAF_ERROR_FORMAT, "PTX line %d: '%c' is expected at '%.*s'",
                         p->lex.token.line, sign, (int)p->lex.token.n_chars, p->lex.token.text);
    ptx_lex_next(&p->lex);
    return true;
}

static bool take_integer(struct ptx_parser *p, int64_t *out_value)
{
    if (p->lex.token.kind != PTX_TOKEN_INTEGER)
        return ptx_parse_fail(p, "a whole number is expected");
    *out_value = p->lex.token.value;
    ptx_lex_next(&p->lex);
    return true;
}

/* ---- variables ---- */

static struct ptx_variable *find_variable(const struct ptx_parser *p, const struct ptx_token *t)
{
    for (struct ptx_variable *v = p->scope.variables; v; v = v->next)
        if (strlen(v->name) == t->n_chars && memcmp(v->name, t->text, t->n_chars) == 0)
            return v;
    return NULL;
}

/* A number, or the address of a variable: `x`, `generic(x)`, `x+4`. */
static bool take_initial_value(struct ptx_parser *p, int64_t *out_value)
{
    bool minus = ptx_lex_is_sign(&p->lex, '-');
    if (minus)
        ptx_lex_next(&p->lex);
    const struct ptx_token *t = &p->lex.token;
    if (t->kind == PTX_TOKEN_INTEGER || t->kind == PTX_TOKEN_F32 || t->kind == PTX_TOKEN_F64) {
        *out_value = minus ? (int64_t)(0 - (uint64_t)t->value) : t->value;
        ptx_lex_next(&p->lex);
        return true;
    }
    bool generic = ptx_lex_is_word(&p->lex, "generic");
    if (generic) {
        ptx_lex_next(&p->lex);
        if (!ptx_parse_take_sign(p, '('))
            return false;
    }
    const struct ptx_variable *v = find_variable(p, &p->lex.token);
    if (!v)
        return ptx_parse_fail(p, "an initial value is not understood");
    *out_value = (int64_t)v->address;
    ptx_lex_next(&p->lex);
    if (generic && !ptx_parse_take_sign(p, ')'))
        return false;
    if (ptx_lex_is_sign(&p->lex, '+')) {
        int64_t more = 0;
        ptx_lex_next(&p->lex);
        if (!take_integer(p, &more))
            return false;
        *out_value += more;
    }
    return true;
}

/* Values in braces, nested where the array has several dimensions; the rest stays 0. */
static bool take_initializer(struct ptx_parser *p, const struct ptx_variable *v, uint8_t *bytes,
                             uint64_t *at)
{
    unsigned step = ptx_types[v->type].bytes;
    if (ptx_lex_is_sign(&p->lex, '{')) {
        do {
            ptx_lex_next(&p->lex);
            if (!take_initializer(p, v, bytes, at))
                return false;
        } while (ptx_lex_is_sign(&p->lex, ','));
        return ptx_parse_take_sign(p, '}');
    }
    int64_t value = 0;
    if (!take_initial_value(p, &value))
        return false;
    if (*at + step > v->n_bytes)
        return ptx_parse_fail(p, "more initial values than the array has");
    memcpy(bytes + *at, &value, step < sizeof value ? step : sizeof value);
    *at += step;
    return true;
}

/* Arrays of the module lie on the device, written from the start. */
static bool place_variable(struct ptx_parser *p, struct ptx_variable *v)
{
    uint8_t *bytes = arena_alloc(&p->module->arena, v->n_bytes);
    uint64_t at = 0;
    if (ptx_lex_is_sign(&p->lex, '=')) {
        ptx_lex_next(&p->lex);
        if (!take_initializer(p, v, bytes, &at))
            return false;
    }
    v->address = ptx_memory_alloc(p->module->memory, v->n_bytes, PTX_OWNER_MODULE);
    if (v->address == 0)
        return ptx_parse_fail(p, "no memory for an array");
    ptx_memory_write(p->module->memory, v->address, bytes, v->n_bytes);
    if (v->space == PTX_CONST)
        ptx_memory_make_constant(p->module->memory, v->address, v->n_bytes);
    return true;
}

/* [4][5]; [] is a size that the launch gives. */
static bool take_dimensions(struct ptx_parser *p, struct ptx_variable *v)
{
    v->n_bytes = ptx_types[v->type].bytes;
    while (ptx_lex_is_sign(&p->lex, '[')) {
        int64_t n = 0;
        ptx_lex_next(&p->lex);
        if (ptx_lex_is_sign(&p->lex, ']'))
            v->is_dynamic = true;
        else if (!take_integer(p, &n))
            return false;
        if (n < 0 || n > MAX_VARIABLE_BYTES || v->n_bytes * (uint64_t)n > MAX_VARIABLE_BYTES)
            return ptx_parse_fail(p, "the array is too large");
        v->n_bytes *= (uint64_t)n;
        if (!ptx_parse_take_sign(p, ']'))
            return false;
    }
    return true;
}

struct ptx_variable *ptx_parse_variable(struct ptx_parser *p, enum ptx_space space)
{
    struct ptx_variable *v = arena_new(&p->module->arena, struct ptx_variable);
    v->space = space;
    v->type = PTX_N_TYPES;
    while (p->lex.token.kind == PTX_TOKEN_WORD && p->lex.token.text[0] == '.') {
        int64_t align = 0;
        const struct ptx_token t = p->lex.token;
        ptx_lex_next(&p->lex);
        if (t.n_chars == 6 && memcmp(t.text, ".align", 6) == 0) {
            if (!take_integer(p, &align))
                return NULL;
            v->align = (unsigned)align;
        } else if (v->type == PTX_N_TYPES) {
            v->type = ptx_type_by_name(t.text + 1, t.n_chars - 1);
        }
    }
    if (v->type == PTX_N_TYPES) {
        ptx_parse_fail(p, "a type is expected");
        return NULL;
    }
    v->name = ptx_parse_take_word(p);
    if (!v->name || !take_dimensions(p, v))
        return NULL;
    if (v->align < ptx_types[v->type].bytes)
        v->align = ptx_types[v->type].bytes;
    if ((space == PTX_GLOBAL || space == PTX_CONST) && !place_variable(p, v))
        return NULL;
    return v;
}

/* ---- functions ---- */

/* Parameters in parentheses, laid out one after the other from *bytes on. */
static struct ptx_variable *take_parameters(struct ptx_parser *p, enum ptx_space space,
                                            uint64_t *bytes)
{
    struct ptx_variable *first = NULL, **last = &first;
    uint64_t at = *bytes;
    ptx_lex_next(&p->lex);
    while (!ptx_lex_is_sign(&p->lex, ')')) {
        if (!ptx_lex_is_word(&p->lex, ".param") && !ptx_lex_is_word(&p->lex, ".reg")) {
            ptx_parse_fail(p, ".param is expected");
            return NULL;
        }
        ptx_lex_next(&p->lex);
        struct ptx_variable *v = ptx_parse_variable(p, space);
        if (!v)
            return NULL;
        at = (at + v->align - 1) / v->align * v->align;
        v->address = at;
        at += v->n_bytes;
        *last = v;
        last = &v->next;
        if (ptx_lex_is_sign(&p->lex, ','))
            ptx_lex_next(&p->lex);
    }
    ptx_lex_next(&p->lex);
    *bytes = at;
    return first;
}

/* .maxntid and .reqntid: up to three numbers. */
static bool take_thread_limit(struct ptx_parser *p, struct ptx_function *f, bool required)
{
    unsigned n[3] = {1, 1, 1};
    for (int i = 0; i < 3; i++) {
        int64_t value = 0;
        if (!take_integer(p, &value))
            return false;
        n[i] = (unsigned)value;
        if (!ptx_lex_is_sign(&p->lex, ','))
            break;
        ptx_lex_next(&p->lex);
    }
    f->max_threads = n[0] * n[1] * n[2];
    if (required)
        memcpy(f->required, n, sizeof n);
    return true;
}

/* What stands between the parameters and the body. */
static bool take_performance_directives(struct ptx_parser *p, struct ptx_function *f)
{
    while (p->lex.token.kind == PTX_TOKEN_WORD && p->lex.token.text[0] == '.') {
        bool required = ptx_lex_is_word(&p->lex, ".reqntid");
        bool limit = required || ptx_lex_is_word(&p->lex, ".maxntid");
        ptx_lex_next(&p->lex);
        if (limit && !take_thread_limit(p, f, required))
            return false;
        while (p->lex.token.kind == PTX_TOKEN_INTEGER || ptx_lex_is_sign(&p->lex, ','))
            ptx_lex_next(&p->lex);
    }
    return true;
}

static struct ptx_function *function_named(struct ptx_module *m, const char *name)
{
    struct ptx_function **last = &m->functions;
    for (; *last; last = &(*last)->next)
        if (strcmp((*last)->name, name) == 0)
            return *last;
    *last = arena_new(&m->arena, struct ptx_function);
    (*last)->name = name;
    (*last)->module = m;
    (*last)->dynamic_shared = PTX_SHARED_DEFAULT;
    return *last;
}

static bool parse_function(struct ptx_parser *p, bool is_entry)
{
    uint64_t bytes = 0;
    struct ptx_variable *results = NULL, *params = NULL;
    if (ptx_lex_is_sign(&p->lex, '('))
        results = take_parameters(p, PTX_LOCAL, &bytes);
    char *name = ptx_parse_take_word(p);
    if (!name)
        return false;
    if (ptx_lex_is_sign(&p->lex, '('))
        params = take_parameters(p, is_entry ? PTX_PARAM : PTX_LOCAL, &bytes);
    if (p->err->status)
        return false;
    struct ptx_function *f = function_named(p->module, name);
    if (f->exists)
        return ptx_parse_fail(p, "a function is defined twice");
    f->is_entry = is_entry;
    f->results = results;
    f->params = params;
    f->param_bytes = bytes;
    f->local_bytes = is_entry ? 0 : (bytes + 15) / 16 * 16;
    if (!take_performance_directives(p, f))
        return false;
    if (ptx_lex_is_sign(&p->lex, ';')) {
        ptx_lex_next(&p->lex);
        return true;
    }
    f->exists = true;
    p->function = f;
    return ptx_parse_take_sign(p, '{') && ptx_parse_body(p);
}

/* ---- the module ---- */

static bool parse_header(struct ptx_parser *p)
{
    if (!ptx_lex_is_word(&p->lex, ".version"))
        return ptx_parse_fail(p, "PTX begins with .version");
    ptx_lex_next(&p->lex);
    int64_t major = 0, minor = 0;
    if (!take_integer(p, &major))
        return false;
    /* 7.0 comes as 7 and the word ".0". */
    const struct ptx_token *t = &p->lex.token;
    if (t->kind == PTX_TOKEN_WORD && t->n_chars == 2 && t->text[0] == '.')
        minor = t->text[1] - '0';
    p->module->version = (int)(major * 10 + minor);
    ptx_lex_next(&p->lex);
    if (!ptx_lex_is_word(&p->lex, ".target"))
        return ptx_parse_fail(p, ".target is expected");
    ptx_lex_next(&p->lex);
    t = &p->lex.token;
    if (t->kind != PTX_TOKEN_WORD || t->n_chars < 5 || memcmp(t->text, "sm_", 3) != 0)
        return ptx_parse_fail(p, "a target is expected");
    p->module->target = (t->text[3] - '0') * 10 + (t->text[4] - '0');
    while (!ptx_lex_is_word(&p->lex, ".address_size") && p->lex.token.kind != PTX_TOKEN_END)
        ptx_lex_next(&p->lex);
    ptx_lex_next(&p->lex);
    if (p->lex.token.value != 64)
        return ptx_parse_fail(p, "addresses must have 64 bits");
    ptx_lex_next(&p->lex);
    return true;
}

static void skip_statement(struct ptx_parser *p)
{
    int line = p->lex.token.line;
    while (p->lex.token.kind != PTX_TOKEN_END && p->lex.token.line == line &&
           !ptx_lex_is_sign(&p->lex, ';'))
        ptx_lex_next(&p->lex);
    if (ptx_lex_is_sign(&p->lex, ';'))
        ptx_lex_next(&p->lex);
}

static bool parse_module_variable(struct ptx_parser *p, enum ptx_space space)
{
    ptx_lex_next(&p->lex);
    struct ptx_variable *v = ptx_parse_variable(p, space);
    if (!v)
        return false;
    v->next = p->scope.variables;
    p->scope.variables = p->module->variables = v;
    return ptx_parse_take_sign(p, ';');
}

static bool parse_directive(struct ptx_parser *p)
{
    static const char *const linkage[] = {".visible", ".extern", ".weak", ".common"};
    static const struct {
        const char *word;
        enum ptx_space space;
    } spaces[] = {{".global", PTX_GLOBAL}, {".const", PTX_CONST}, {".shared", PTX_SHARED}};
    for (size_t i = 0; i < sizeof linkage / sizeof *linkage; i++)
        if (ptx_lex_is_word(&p->lex, linkage[i]))
            ptx_lex_next(&p->lex);
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++)
        if (ptx_lex_is_word(&p->lex, spaces[i].word))
            return parse_module_variable(p, spaces[i].space);
    bool is_entry = ptx_lex_is_word(&p->lex, ".entry");
    if (is_entry || ptx_lex_is_word(&p->lex, ".func")) {
        ptx_lex_next(&p->lex);
        while (p->lex.token.kind == PTX_TOKEN_WORD && p->lex.token.text[0] == '.')
            ptx_lex_next(&p->lex);
        return parse_function(p, is_entry);
    }
    if (ptx_lex_is_word(&p->lex, ".file") || ptx_lex_is_word(&p->lex, ".pragma")) {
        skip_statement(p);
        return true;
    }
    return ptx_parse_fail(p, "a directive is expected");
}

bool ptx_parse(struct ptx_module *m, struct error *err)
{
    struct ptx_parser p = {.module = m, .err = err};
    ptx_lex_init(&p.lex, m->text);
    if (!parse_header(&p))
        return false;
    while (p.lex.token.kind != PTX_TOKEN_END && !ptx_lex_is_word(&p.lex, ".section")) {
        p.scope = (struct ptx_scope){.variables = m->variables};
        if (!parse_directive(&p))
            return false;
    }
    return true;
}
