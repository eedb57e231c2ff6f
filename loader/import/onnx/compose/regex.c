/*
 * Regular expression → deterministic automaton over the bytes of UTF-8.
 *
 * The pattern is read from the left; each part becomes steps of a nondeterministic automaton
 * (Thompson's), linked through lists of open ends.  Sets of steps are then the states of the
 * deterministic one.  A state also says what was read last, for \b and ^: an assertion is decided
 * when the next byte, or the end, is known.
 */
#include "loader/import/onnx/compose/regex.h"

#include <string.h>

#include "ir/hash.h"

enum { MAX_LENGTH = 4000, MAX_STEPS = 4000, MAX_STATES = 2048, BYTES = 256 };
enum { MAX_REPEAT = 1000, MAX_DEPTH = 200 };

enum kind { STEP_BYTES, STEP_FORK, STEP_ASSERT, STEP_MATCH };
enum assertion { TEXT_BEGIN, TEXT_END, WORD_EDGE, NO_WORD_EDGE };

struct set {
    uint64_t bits[4]; /* by byte */
};

struct step {
    enum kind kind;
    enum assertion assertion;
    struct set bytes;
    int next[2]; /* a fork has two */
};

/* ---- the tree of a pattern ---- */

enum part_kind { PART_NOTHING, PART_CHAR, PART_ASSERT, PART_CAT, PART_ALT, PART_REPEAT };

struct part {
    enum part_kind kind;
    struct set bytes; /* of a character; ASCII, or one byte of UTF-8 */
    bool beyond;      /* or any character beyond ASCII */
    enum assertion assertion;
    const struct part *a, *b;
    int min, max; /* max -1: any number */
};

struct reader {
    struct onnx *o;
    const struct draft *d;
    const char *pattern, *at;
    int depth;
    bool failed;
};

static const struct part *fault(struct reader *r, const char *what)
{
    if (!r->failed)
        draft_error(r->o, r->d, SHEAF_ERROR_UNSUPPORTED,
                    "at character %lld of the pattern '%s': %s",
                    (long long)(r->at - r->pattern) + 1, r->pattern, what);
    r->failed = true;
    return NULL;
}

static struct part *part_new(struct reader *r, enum part_kind kind)
{
    struct part *p = arena_new(r->o->im.arena, struct part);
    p->kind = kind;
    return p;
}

static void set_add(struct set *s, int first, int last)
{
    for (int c = first; c <= last; c++)
        s->bits[c / 64] |= (uint64_t)1 << (c % 64);
}

static bool set_has(const struct set *s, int c)
{
    return (s->bits[c / 64] >> (c % 64)) & 1;
}

static void set_join(struct set *s, const struct set *t)
{
    for (int i = 0; i < 4; i++)
        s->bits[i] |= t->bits[i];
}

/* All other ASCII characters. */
static void set_negate(struct set *s)
{
    s->bits[0] = ~s->bits[0];
    s->bits[1] = ~s->bits[1];
}

static bool is_word(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

/* \d, \w, \s and their opposites. */
static bool named_class(char c, struct set *out)
{
    memset(out, 0, sizeof *out);
    char lower = (char)(c | 0x20);
    if (lower == 'd') {
        set_add(out, '0', '9');
    } else if (lower == 'w') {
        for (int i = 0; i < 128; i++)
            if (is_word(i))
                set_add(out, i, i);
    } else if (lower == 's') {
        set_add(out, '\t', '\n');
        set_add(out, '\f', '\r');
        set_add(out, ' ', ' ');
    } else {
        return false;
    }
    if (c != lower)
        set_negate(out);
    return true;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Behind a backslash: the character meant, -1 after a fault. */
static int escaped(struct reader *r)
{
    static const char letters[] = "tnrfva", values[] = "\t\n\r\f\v\a";
    char c = *r->at;
    const char *l = c ? strchr(letters, c) : NULL;
    if (l) {
        r->at++;
        return values[l - letters];
    }
    if (c == 'x') {
        int high = hex_digit(r->at[1]), low = high < 0 ? -1 : hex_digit(r->at[2]);
        if (low < 0 || high > 7) {
            fault(r, "\\x needs two digits below 80");
            return -1;
        }
        r->at += 3;
        return high * 16 + low;
    }
    if (!c || is_word((unsigned char)c) || (unsigned char)c > 127) {
        fault(r, "this escape is not supported");
        return -1;
    }
    r->at++;
    return c;
}

/* A member of a class in brackets, or the end of a range. */
static int class_char(struct reader *r)
{
    unsigned char c = (unsigned char)*r->at;
    if (!c || c > 127) {
        fault(r, c ? "a class has a member beyond ASCII" : "a class has no end");
        return -1;
    }
    r->at++;
    return c == '\\' ? escaped(r) : c;
}

static const struct part *read_class(struct reader *r)
{
    struct part *p = part_new(r, PART_CHAR);
    bool negative = *r->at == '^';
    r->at += negative;
    for (bool first = true; first || *r->at != ']'; first = false) {
        struct set named;
        if (r->at[0] == '[' && r->at[1] == ':')
            return fault(r, "classes such as [:alpha:] are not supported");
        if (r->at[0] == '\\' && named_class(r->at[1], &named)) {
            p->beyond = p->beyond || (r->at[1] & 0x20) == 0;
            set_join(&p->bytes, &named);
            r->at += 2;
            continue;
        }
        int low = class_char(r), high = low;
        if (low >= 0 && r->at[0] == '-' && r->at[1] && r->at[1] != ']') {
            r->at++;
            high = class_char(r);
        }
        if (low < 0 || high < 0)
            return NULL;
        if (high < low)
            return fault(r, "a range ends before it begins");
        set_add(&p->bytes, low, high);
    }
    r->at++;
    if (negative) {
        set_negate(&p->bytes);
        p->beyond = !p->beyond;
    }
    return p;
}

static const struct part *asserted(struct reader *r, enum assertion a)
{
    struct part *p = part_new(r, PART_ASSERT);
    p->assertion = a;
    return p;
}

static const struct part *read_escape(struct reader *r)
{
    char c = *r->at;
    struct part *p = part_new(r, PART_CHAR);
    if (c && strchr("bBAz", c)) {
        r->at++;
        return asserted(r, c == 'b'   ? WORD_EDGE
                           : c == 'B' ? NO_WORD_EDGE
                           : c == 'A' ? TEXT_BEGIN
                                      : TEXT_END);
    }
    if (named_class(c, &p->bytes)) {
        p->beyond = (c & 0x20) == 0;
        r->at++;
        return p;
    }
    int one = escaped(r);
    if (one < 0)
        return NULL;
    set_add(&p->bytes, one, one);
    return p;
}

static const struct part *read_choices(struct reader *r);

/* Behind an opening parenthesis. */
static const struct part *read_group(struct reader *r)
{
    if (r->at[0] == '?' && r->at[1] == ':') {
        r->at += 2;
    } else if (r->at[0] == '?') {
        const char *name = r->at + 1 + (r->at[1] == 'P');
        const char *end = *name == '<' ? strchr(name, '>') : NULL;
        if (!end)
            return fault(r, "flags are not supported");
        r->at = end + 1;
    }
    if (++r->depth > MAX_DEPTH)
        return fault(r, "groups are nested too deep");
    const struct part *p = read_choices(r);
    r->depth--;
    if (!p)
        return NULL;
    if (*r->at != ')')
        return fault(r, "a group has no end");
    r->at++;
    return p;
}

static const struct part *read_atom(struct reader *r)
{
    unsigned char c = (unsigned char)*r->at++;
    struct part *p;
    switch (c) {
    case '(':
        return read_group(r);
    case '[':
        return read_class(r);
    case '\\':
        return read_escape(r);
    case '^':
        return asserted(r, TEXT_BEGIN);
    case '$':
        return asserted(r, TEXT_END);
    case '*':
    case '+':
    case '?':
        return fault(r, "there is nothing to repeat");
    default:
        p = part_new(r, PART_CHAR);
        set_add(&p->bytes, c == '.' ? '\n' : c, c == '.' ? '\n' : c);
        if (c == '.')
            set_negate(&p->bytes);
        p->beyond = c == '.';
        return p;
    }
}

/* {2}, {2,} or {2,5}; anything else stands for itself. */
static bool read_counts(const char *at, int *min, int *max, const char **out_end)
{
    int n[2] = {0, -1};
    bool digits[2] = {false, false};
    int which = 0;
    for (at++; *at && *at != '}'; at++) {
        if (*at == ',' && !which) {
            which = 1;
            continue;
        }
        if (*at < '0' || *at > '9')
            return false;
        n[which] = (digits[which] ? n[which] * 10 : 0) + (*at - '0');
        digits[which] = true;
        if (n[which] > MAX_REPEAT)
            n[which] = MAX_REPEAT + 1;
    }
    if (!*at || !digits[0])
        return false;
    *min = n[0];
    *max = !which ? n[0] : digits[1] ? n[1] : -1;
    *out_end = at + 1;
    return true;
}

static const struct part *read_repeated(struct reader *r)
{
    const struct part *p = read_atom(r);
    while (p) {
        int min = 0, max = -1;
        const char *end = r->at + 1;
        if (*r->at == '+')
            min = 1;
        else if (*r->at == '?')
            max = 1;
        else if (*r->at != '*' && (*r->at != '{' || !read_counts(r->at, &min, &max, &end)))
            break;
        if (min > MAX_REPEAT || max > MAX_REPEAT || (max >= 0 && max < min))
            return fault(r, "this number of repetitions is not supported");
        r->at = end + (*end == '?'); /* the shortest match or the longest: whole strings match */
        struct part *outer = part_new(r, PART_REPEAT);
        outer->a = p;
        outer->min = min;
        outer->max = max;
        p = outer;
    }
    return p;
}

static const struct part *joined(struct reader *r, enum part_kind kind, const struct part *a,
                                 const struct part *b)
{
    struct part *p = part_new(r, kind);
    p->a = a;
    p->b = b;
    return p;
}

static const struct part *read_row(struct reader *r)
{
    const struct part *row = part_new(r, PART_NOTHING);
    while (row && *r->at && *r->at != '|' && *r->at != ')') {
        const struct part *p = read_repeated(r);
        row = p ? joined(r, PART_CAT, row, p) : NULL;
    }
    return row;
}

static const struct part *read_choices(struct reader *r)
{
    const struct part *p = read_row(r);
    while (p && *r->at == '|') {
        r->at++;
        const struct part *other = read_row(r);
        p = other ? joined(r, PART_ALT, p, other) : NULL;
    }
    return p;
}

/* ---- steps ---- */

struct machine {
    struct arena *arena;
    struct step *step;
    size_t n, cap;
};

static int add_step(struct machine *m, enum kind kind, int next, int other)
{
    struct step s = {.kind = kind, .next = {next, other}};
    if (m->n < MAX_STEPS)
        ARENA_PUSH(m->arena, m->step, m->n, m->cap) = s;
    return (int)m->n - 1;
}

static int add_bytes(struct machine *m, const struct set *bytes, int next)
{
    int s = add_step(m, STEP_BYTES, next, next);
    m->step[s].bytes = *bytes;
    return s;
}

/* A lead byte in first .. last, and so many that follow it. */
static int add_sequence(struct machine *m, int first, int last, int follow, int next)
{
    struct set lead = {{0}}, rest = {{0}};
    set_add(&lead, first, last);
    set_add(&rest, 0x80, 0xbf);
    for (int i = 0; i < follow; i++)
        next = add_bytes(m, &rest, next);
    return add_bytes(m, &lead, next);
}

static int add_char(struct machine *m, const struct part *p, int next)
{
    int s = add_bytes(m, &p->bytes, next);
    if (!p->beyond)
        return s;
    static const int lead[3][2] = {{0xc2, 0xdf}, {0xe0, 0xef}, {0xf0, 0xf4}};
    for (int i = 0; i < 3; i++) {
        int longer = add_sequence(m, lead[i][0], lead[i][1], i + 1, next);
        s = add_step(m, STEP_FORK, s, longer);
    }
    return s;
}

/* Where the part is entered, if `next` comes behind it. */
static int add_part(struct machine *m, const struct part *p, int next)
{
    int s, other;
    switch (p->kind) {
    case PART_NOTHING:
        return next;
    case PART_CHAR:
        return add_char(m, p, next);
    case PART_ASSERT:
        s = add_step(m, STEP_ASSERT, next, next);
        m->step[s].assertion = p->assertion;
        return s;
    case PART_CAT:
        s = add_part(m, p->b, next);
        return add_part(m, p->a, s);
    case PART_ALT:
        s = add_part(m, p->a, next);
        other = add_part(m, p->b, next);
        return add_step(m, STEP_FORK, s, other);
    case PART_REPEAT:
        break;
    }
    s = next;
    if (p->max < 0) {
        s = add_step(m, STEP_FORK, next, next);
        other = add_part(m, p->a, s);
        m->step[s].next[0] = other;
    }
    for (int i = p->min; i < p->max && m->n < MAX_STEPS; i++) {
        other = add_part(m, p->a, s);
        s = add_step(m, STEP_FORK, other, next);
    }
    for (int i = 0; i < p->min && m->n < MAX_STEPS; i++)
        s = add_part(m, p->a, s);
    return s;
}

/* ---- states ---- */

enum around { NOTHING, WORD, OTHER }; /* what stands before or behind a place */

struct state {
    uint64_t *steps; /* a set */
    enum around before;
    uint64_t hash;
};

struct states {
    const struct machine *m;
    struct arena *arena;
    size_t words; /* of a set */
    struct state *state;
    size_t n, cap;
    int *stack;
    bool asserts;
};

static bool holds(enum assertion a, enum around before, enum around behind)
{
    bool edge = (before == WORD) != (behind == WORD);
    return a == TEXT_BEGIN  ? before == NOTHING
           : a == TEXT_END  ? behind == NOTHING
           : a == WORD_EDGE ? edge
                            : !edge;
}

static bool has_step(const uint64_t *steps, int i)
{
    return (steps[i / 64] >> (i % 64)) & 1;
}

static void put_step(uint64_t *steps, int i)
{
    steps[i / 64] |= (uint64_t)1 << (i % 64);
}

/* All that is reached without a byte, what stands around being known. */
static void close_set(struct states *s, const struct state *from, enum around behind,
                      uint64_t *steps)
{
    size_t n = 0;
    memcpy(steps, from->steps, s->words * sizeof *steps);
    for (int i = 0; i < (int)s->m->n; i++)
        if (has_step(steps, i))
            s->stack[n++] = i;
    while (n) {
        const struct step *at = &s->m->step[s->stack[--n]];
        bool goes = at->kind == STEP_FORK ||
                    (at->kind == STEP_ASSERT && holds(at->assertion, from->before, behind));
        for (int i = 0; i < 2 && goes; i++) {
            if (has_step(steps, at->next[i]))
                continue;
            put_step(steps, at->next[i]);
            s->stack[n++] = at->next[i];
        }
    }
}

/* The number of the state with these steps, which may be a new one. */
static size_t find_state(struct states *s, const uint64_t *steps, enum around before)
{
    struct state new = {.before = s->asserts ? before : OTHER};
    new.hash = hash_bytes(HASH_START, steps, s->words * sizeof *steps);
    for (size_t i = 0; i < s->n; i++)
        if (s->state[i].hash == new.hash && s->state[i].before == new.before &&
            !memcmp(s->state[i].steps, steps, s->words * sizeof *steps))
            return i;
    new.steps = arena_copy(s->arena, steps, s->words * sizeof *steps);
    ARENA_PUSH(s->arena, s->state, s->n, s->cap) = new;
    return s->n - 1;
}

/* Where the state goes with each byte; closed[0]: next is a word's character, closed[1]: not. */
static void state_row(struct states *s, uint64_t *const *closed, uint64_t *to, int32_t *row)
{
    for (int c = 0; c < BYTES; c++) {
        const uint64_t *from = closed[is_word(c) ? 0 : 1];
        memset(to, 0, s->words * sizeof *to);
        for (int i = 0; i < (int)s->m->n && c; i++)
            if (has_step(from, i) && s->m->step[i].kind == STEP_BYTES &&
                set_has(&s->m->step[i].bytes, c))
                put_step(to, s->m->step[i].next[0]);
        row[c] = (int32_t)find_state(s, to, is_word(c) ? WORD : OTHER);
    }
}

static bool make_tables(struct onnx *o, const struct draft *d, struct states *s, int match,
                        struct value **out_next, struct value **out_accepts)
{
    int32_t *next = NULL;
    bool *accepts = NULL;
    size_t n_rows = 0, cap_rows = 0, n_accepts = 0, cap_accepts = 0;
    struct row {
        int32_t to[BYTES];
    } *rows = NULL;
    uint64_t *closed[2], *to = arena_array(s->arena, s->words, sizeof *to);
    for (int i = 0; i < 2; i++)
        closed[i] = arena_array(s->arena, s->words, sizeof **closed);
    for (size_t i = 0; i < s->n; i++) {
        const struct state from = s->state[i];
        if (s->n > MAX_STATES)
            return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                               "the pattern needs more than %d states", (int)MAX_STATES);
        close_set(s, &from, NOTHING, closed[0]);
        ARENA_PUSH(s->arena, accepts, n_accepts, cap_accepts) = has_step(closed[0], match);
        close_set(s, &from, WORD, closed[0]);
        close_set(s, &from, OTHER, closed[1]);
        struct row *row = &ARENA_PUSH(s->arena, rows, n_rows, cap_rows);
        state_row(s, closed, to, row->to);
    }
    const int64_t dims[2] = {(int64_t)s->n, BYTES};
    struct tensor *t = tensor_new(s->arena, DTYPE_I32, 2, dims);
    struct tensor *a = tensor_new(s->arena, DTYPE_BOOL, 1, dims);
    for (int64_t i = 0; i < dims[0]; i++) {
        tensor_set_int(a, i, accepts[i]);
        next = rows[i].to;
        for (int64_t c = 0; c < BYTES; c++)
            tensor_set_int(t, i * BYTES + c, next[c]);
    }
    *out_next = graph_add_constant(o->im.g, NULL, t);
    *out_accepts = graph_add_constant(o->im.g, NULL, a);
    return true;
}

bool onnx_regex(struct onnx *o, const struct draft *d, const char *pattern, struct value **out_next,
                struct value **out_accepts)
{
    struct reader r = {.o = o, .d = d, .pattern = pattern, .at = pattern};
    bool is_long = strlen(pattern) > MAX_LENGTH;
    const struct part *p = is_long ? fault(&r, "it is too long") : read_choices(&r);
    if (p && *r.at)
        p = fault(&r, "a parenthesis closes no group");
    if (!p)
        return false;
    struct machine m = {.arena = o->im.arena};
    int match = add_step(&m, STEP_MATCH, 0, 0);
    int first = add_part(&m, p, match);
    if (m.n >= MAX_STEPS)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "the pattern '%s' is too long", pattern);
    struct states s = {.m = &m, .arena = o->im.arena, .words = (m.n + 63) / 64};
    s.stack = arena_array(s.arena, 2 * m.n, sizeof *s.stack);
    for (size_t i = 0; i < m.n; i++)
        s.asserts = s.asserts || m.step[i].kind == STEP_ASSERT;
    uint64_t *start = arena_array(s.arena, s.words, sizeof *start);
    put_step(start, first);
    find_state(&s, start, NOTHING);
    return make_tables(o, d, &s, match, out_next, out_accepts);
}
