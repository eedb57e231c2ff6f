/*
 * The inner half of the parser: what stands between the braces of a function.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/ptx_parse.h"

enum { MAX_OPERANDS = 32, MAX_DEPTH = 16, SLOT_ALIGN = 64 };

static bool parse_operand(struct ptx_parser *p, struct ptx_operand *out);

/* ---- names ---- */

/* Registers lie one after the other, each as an array of its lanes; a predicate is a mask. */
static int32_t register_bytes(enum ptx_type type)
{
    int32_t bytes = ptx_types[type].bytes * PTX_LANES;
    return bytes < SLOT_ALIGN ? SLOT_ALIGN : bytes;
}

static bool find_register(const struct ptx_parser *p, const struct ptx_token *t,
                          struct ptx_operand *out)
{
    for (const struct ptx_registers *r = p->scope.registers; r; r = r->next) {
        size_t n = strlen(r->prefix);
        if (t->n_chars < n || memcmp(t->text, r->prefix, n) != 0)
            continue;
        uint64_t index = 0;
        if (r->n == 0 ? t->n_chars != n : t->n_chars == n)
            continue;
        if (r->n > 0) {
            char *end = NULL;
            index = strtoull(t->text + n, &end, 10);
            if (end != t->text + t->n_chars || index >= r->n)
                continue;
        }
        *out = (struct ptx_operand){.kind = PTX_OPERAND_REGISTER,
                                    .type = r->type,
                                    .slot = r->slot + (int32_t)index * register_bytes(r->type)};
        return true;
    }
    return false;
}

static bool find_special(const struct ptx_parser *p, const struct ptx_token *t,
                         struct ptx_operand *out)
{
    static const struct {
        const char *text;
        enum ptx_type type;
    } specials[] = {
#define PTX_SPECIAL(name, text) {text, PTX_u32},
        PTX_SPECIALS(PTX_SPECIAL)
#undef PTX_SPECIAL
    };
    for (int i = 0; i < PTX_N_SPECIALS; i++) {
        if (strlen(specials[i].text) != t->n_chars ||
            memcmp(specials[i].text, t->text, t->n_chars) != 0)
            continue;
        p->function->specials |= 1u << i;
        bool wide = i == PTX_SPECIAL_clock64 || i == PTX_SPECIAL_globaltimer;
        *out = (struct ptx_operand){
            .kind = PTX_OPERAND_SPECIAL, .slot = i, .type = wide ? PTX_u64 : PTX_u32};
        return true;
    }
    return false;
}

static struct ptx_variable *find_variable(const struct ptx_parser *p, const struct ptx_token *t)
{
    const struct ptx_function *f = p->function;
    struct ptx_variable *const heads[] = {p->scope.variables, f->params, f->results};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        for (struct ptx_variable *v = heads[i]; v; v = v->next)
            if (strlen(v->name) == t->n_chars && memcmp(v->name, t->text, t->n_chars) == 0)
                return v;
    return NULL;
}

/* ---- operands ---- */

static bool parse_list(struct ptx_parser *p, char end, struct ptx_operand *out)
{
    struct ptx_operand elems[MAX_OPERANDS];
    int n = 0;
    ptx_lex_next(&p->lex);
    while (!ptx_lex_is_sign(&p->lex, end)) {
        if (n == MAX_OPERANDS)
            return ptx_parse_fail(p, "too many operands");
        if (!parse_operand(p, &elems[n++]))
            return false;
        if (ptx_lex_is_sign(&p->lex, ','))
            ptx_lex_next(&p->lex);
    }
    ptx_lex_next(&p->lex);
    *out = (struct ptx_operand){.kind = PTX_OPERAND_LIST, .n_elems = n};
    out->elems = arena_copy(&p->module->arena, elems, (size_t)n * sizeof *elems);
    return true;
}

/* + or - a whole number, where one follows. */
static bool parse_displacement(struct ptx_parser *p, int64_t *value)
{
    bool minus = ptx_lex_is_sign(&p->lex, '-');
    if (!minus && !ptx_lex_is_sign(&p->lex, '+'))
        return true;
    ptx_lex_next(&p->lex);
    if (ptx_lex_is_sign(&p->lex, '-')) {
        minus = !minus;
        ptx_lex_next(&p->lex);
    }
    if (p->lex.token.kind != PTX_TOKEN_INTEGER)
        return ptx_parse_fail(p, "a whole number is expected");
    *value += minus ? -p->lex.token.value : p->lex.token.value;
    ptx_lex_next(&p->lex);
    return true;
}

static bool parse_address(struct ptx_parser *p, struct ptx_operand *out)
{
    struct ptx_operand *base = arena_new(&p->module->arena, struct ptx_operand);
    ptx_lex_next(&p->lex);
    *out = (struct ptx_operand){.kind = PTX_OPERAND_ADDRESS, .elems = base, .n_elems = 1};
    return parse_operand(p, base) && parse_displacement(p, &out->value) &&
           ptx_parse_take_sign(p, ']');
}

static bool parse_word(struct ptx_parser *p, struct ptx_operand *out)
{
    const struct ptx_token t = p->lex.token;
    ptx_lex_next(&p->lex);
    if (find_register(p, &t, out)) {
        if (!ptx_lex_is_sign(&p->lex, '|'))
            return true;
        struct ptx_operand *both = arena_array(&p->module->arena, 2, sizeof *both);
        both[0] = *out;
        *out = (struct ptx_operand){.kind = PTX_OPERAND_PAIR, .elems = both, .n_elems = 2};
        ptx_lex_next(&p->lex);
        return parse_operand(p, &both[1]);
    }
    if (t.text[0] == '%') {
        if (find_special(p, &t, out))
            return true;
        return error_set(p->err, SHEAF_ERROR_FORMAT, "PTX line %d: there is no register '%.*s'",
                         t.line, (int)t.n_chars, t.text);
    }
    if (t.n_chars == 1 && t.text[0] == '_') {
        *out = (struct ptx_operand){.kind = PTX_OPERAND_SINK};
        return true;
    }
    struct ptx_variable *v = find_variable(p, &t);
    *out = (struct ptx_operand){.kind = v ? PTX_OPERAND_VARIABLE : PTX_OPERAND_NAME, .variable = v};
    out->name = v ? v->name : arena_strndup(&p->module->arena, t.text, t.n_chars);
    return !v || parse_displacement(p, &out->value);
}

static bool parse_number(struct ptx_parser *p, struct ptx_operand *out)
{
    bool minus = ptx_lex_is_sign(&p->lex, '-');
    if (minus)
        ptx_lex_next(&p->lex);
    const struct ptx_token *t = &p->lex.token;
    *out = (struct ptx_operand){.value = minus ? (int64_t)(0 - (uint64_t)t->value) : t->value};
    switch (t->kind) {
    case PTX_TOKEN_INTEGER:
        out->kind = PTX_OPERAND_INTEGER;
        break;
    case PTX_TOKEN_F32:
        out->kind = PTX_OPERAND_F32;
        break;
    case PTX_TOKEN_F64:
        out->kind = PTX_OPERAND_F64;
        break;
    default:
        return ptx_parse_fail(p, "an operand is expected");
    }
    ptx_lex_next(&p->lex);
    return true;
}

static bool parse_operand(struct ptx_parser *p, struct ptx_operand *out)
{
    if (ptx_lex_is_sign(&p->lex, '{'))
        return parse_list(p, '}', out);
    if (ptx_lex_is_sign(&p->lex, '('))
        return parse_list(p, ')', out);
    if (ptx_lex_is_sign(&p->lex, '['))
        return parse_address(p, out);
    if (ptx_lex_is_sign(&p->lex, '!')) {
        ptx_lex_next(&p->lex);
        bool ok = parse_operand(p, out);
        out->negated = true;
        return ok;
    }
    if (p->lex.token.kind == PTX_TOKEN_WORD)
        return parse_word(p, out);
    return parse_number(p, out);
}

/* ---- statements ---- */

static bool parse_guard(struct ptx_parser *p, struct ptx_statement *s)
{
    if (!ptx_lex_is_sign(&p->lex, '@'))
        return true;
    ptx_lex_next(&p->lex);
    s->guard = arena_new(&p->module->arena, struct ptx_operand);
    if (!parse_operand(p, s->guard))
        return false;
    if (s->guard->kind != PTX_OPERAND_REGISTER || s->guard->type != PTX_pred)
        return ptx_parse_fail(p, "a guard must be a predicate");
    return true;
}

static bool parse_statement(struct ptx_parser *p)
{
    struct ptx_statement s = {.text = p->lex.token.text, .line = p->lex.token.line};
    struct ptx_operand operands[MAX_OPERANDS];
    if (!parse_guard(p, &s))
        return false;
    s.opcode = ptx_parse_take_word(p);
    if (!s.opcode)
        return false;
    while (!ptx_lex_is_sign(&p->lex, ';')) {
        if (s.n_operands == MAX_OPERANDS)
            return ptx_parse_fail(p, "too many operands");
        if (!parse_operand(p, &operands[s.n_operands++]))
            return false;
        if (ptx_lex_is_sign(&p->lex, ','))
            ptx_lex_next(&p->lex);
        else if (!ptx_lex_is_sign(&p->lex, ';'))
            return ptx_parse_fail(p, "',' or ';' is expected");
    }
    s.n_chars = (int)(p->lex.token.text - s.text);
    ptx_lex_next(&p->lex);
    s.operands = arena_copy(&p->module->arena, operands, (size_t)s.n_operands * sizeof *operands);
    struct ptx_function *f = p->function;
    ARENA_PUSH(&p->module->arena, f->statements, f->n_statements, f->cap_statements) = s;
    return true;
}

/* .reg .b32 %a, %b<4>; */
static bool parse_registers(struct ptx_parser *p)
{
    ptx_lex_next(&p->lex);
    const struct ptx_token *t = &p->lex.token;
    enum ptx_type type = PTX_N_TYPES;
    if (t->kind == PTX_TOKEN_WORD && t->text[0] == '.')
        type = ptx_type_by_name(t->text + 1, t->n_chars - 1);
    if (type == PTX_N_TYPES)
        return ptx_parse_fail(p, "a type of registers is expected");
    do {
        ptx_lex_next(&p->lex);
        struct ptx_registers *r = arena_new(&p->module->arena, struct ptx_registers);
        r->type = type;
        r->prefix = ptx_parse_take_word(p);
        if (!r->prefix)
            return false;
        if (ptx_lex_is_sign(&p->lex, '<')) {
            ptx_lex_next(&p->lex);
            r->n = (uint32_t)t->value;
            ptx_lex_next(&p->lex);
            if (!ptx_parse_take_sign(p, '>'))
                return false;
        }
        r->slot = p->function->n_slots_bytes;
        if (r->n > 1u << 20)
            return ptx_parse_fail(p, "too many registers");
        p->function->n_slots_bytes += (int32_t)(r->n ? r->n : 1) * register_bytes(type);
        r->next = p->scope.registers;
        p->scope.registers = r;
    } while (ptx_lex_is_sign(&p->lex, ','));
    return ptx_parse_take_sign(p, ';');
}

/* Variables inside of a function are visible to the end of their scope; each has its own place. */
static bool parse_local(struct ptx_parser *p, enum ptx_space space)
{
    do {
        ptx_lex_next(&p->lex);
        struct ptx_variable *v = ptx_parse_variable(p, space);
        if (!v)
            return false;
        struct ptx_function *f = p->function;
        uint64_t *end = space == PTX_LOCAL ? &f->local_bytes : &f->shared_bytes;
        if (space == PTX_LOCAL || space == PTX_SHARED) {
            v->address = (*end + v->align - 1) / v->align * v->align;
            *end = v->address + v->n_bytes;
        }
        v->owner = f;
        v->next = p->scope.variables;
        p->scope.variables = v;
    } while (ptx_lex_is_sign(&p->lex, ','));
    return ptx_parse_take_sign(p, ';');
}

static bool parse_inner_directive(struct ptx_parser *p)
{
    if (ptx_lex_is_word(&p->lex, ".reg"))
        return parse_registers(p);
    if (ptx_lex_is_word(&p->lex, ".local") || ptx_lex_is_word(&p->lex, ".param"))
        return parse_local(p, PTX_LOCAL);
    if (ptx_lex_is_word(&p->lex, ".shared"))
        return parse_local(p, PTX_SHARED);
    if (ptx_lex_is_word(&p->lex, ".loc")) { /* file, line and column, without a semicolon */
        int line = p->lex.token.line;
        while (p->lex.token.line == line && p->lex.token.kind != PTX_TOKEN_END)
            ptx_lex_next(&p->lex);
        return true;
    }
    if (ptx_lex_is_word(&p->lex, ".pragma")) {
        ptx_lex_next(&p->lex);
        ptx_lex_next(&p->lex);
        return ptx_parse_take_sign(p, ';');
    }
    return ptx_parse_fail(p, "a directive is not known");
}

/* A name and a colon. */
static bool parse_label(struct ptx_parser *p, bool *out_was_one)
{
    struct ptx_lexer before = p->lex;
    *out_was_one = false;
    if (p->lex.token.kind != PTX_TOKEN_WORD)
        return true;
    ptx_lex_next(&p->lex);
    if (!ptx_lex_is_sign(&p->lex, ':')) {
        p->lex = before;
        return true;
    }
    *out_was_one = true;
    ptx_lex_next(&p->lex);
    struct ptx_label *l = arena_new(&p->module->arena, struct ptx_label);
    l->name = arena_strndup(&p->module->arena, before.token.text, before.token.n_chars);
    l->at = (uint32_t)p->function->n_statements;
    l->next = p->function->labels;
    p->function->labels = l;
    return true;
}

bool ptx_parse_body(struct ptx_parser *p)
{
    struct ptx_scope outer[MAX_DEPTH];
    int depth = 0;
    while (!(depth == 0 && ptx_lex_is_sign(&p->lex, '}'))) {
        bool is_label = false;
        const struct ptx_token *t = &p->lex.token;
        if (t->kind == PTX_TOKEN_END || depth == MAX_DEPTH)
            return ptx_parse_fail(p, "a function does not end");
        if (ptx_lex_is_sign(&p->lex, '{')) {
            outer[depth++] = p->scope;
            ptx_lex_next(&p->lex);
        } else if (ptx_lex_is_sign(&p->lex, '}')) {
            p->scope = outer[--depth];
            ptx_lex_next(&p->lex);
        } else if (ptx_lex_is_sign(&p->lex, ';')) {
            ptx_lex_next(&p->lex); /* inline assembly leaves empty statements */
        } else if (t->kind == PTX_TOKEN_WORD && t->text[0] == '.') {
            if (!parse_inner_directive(p))
                return false;
        } else if (!parse_label(p, &is_label) || (!is_label && !parse_statement(p))) {
            return false;
        }
    }
    ptx_lex_next(&p->lex);
    return true;
}
