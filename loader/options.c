#include "loader/options.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "loader/option_table.h"
#include "loader/spelling.h"

const struct option_desc option_table[OPTION_ID_COUNT] = {
#define OPTION_GROUP(id, group_title) [OPTION_ROW_##id] = {.title = group_title},
#define OPTION(kind_, field_, name_, alias_, value_, initial_, help_)                              \
    [OPTION_ID_##field_] = {NULL,                                                                  \
                            name_,                                                                 \
                            alias_,                                                                \
                            value_,                                                                \
                            initial_,                                                              \
                            help_,                                                                 \
                            OPTION_KIND_##kind_,                                                   \
                            offsetof(struct loader_options, field_)},
#include "loader/options.def"
#undef OPTION
#undef OPTION_GROUP
};

enum { NAME_MAX_CHARS = 63 };

static void *field_of(struct loader_options *opt, const struct option_desc *d)
{
    return (char *)opt + d->offset;
}

bool option_active(const struct loader_options *opt, enum option_id id)
{
    if (option_table[id].kind == OPTION_KIND_BOOL)
        return *(const bool *)((const char *)opt + option_table[id].offset);
    return opt->given[id];
}

/* Hyphens and underscores are the same. */
static bool same_name(const char *name, const char *typed, size_t n)
{
    if (!name || strlen(name) != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (typed[i] != name[i] && !(typed[i] == '_' && name[i] == '-'))
            return false;
    return true;
}

/* The option that a word spells (dashes and `=value` included), or -1. */
static int find_option(const char *word)
{
    if (word[0] != '-')
        return -1;
    const char *typed = word + (word[1] == '-' ? 2 : 1);
    size_t n = strcspn(typed, "=");
    for (int i = 0; i < OPTION_ID_COUNT; i++)
        if (same_name(option_table[i].name, typed, n) || same_name(option_table[i].alias, typed, n))
            return i;
    return -1;
}

/* The nearest name, where at most half of what was typed is wrong; else NULL. */
static const char *nearest_name(const char *typed, size_t n)
{
    char text[NAME_MAX_CHARS + 1];
    if (n > NAME_MAX_CHARS)
        return NULL;
    for (size_t i = 0; i < n; i++)
        text[i] = typed[i] == '_' ? '-' : typed[i];
    text[n] = '\0';
    struct spelling s = spelling_of(text);
    for (int i = 0; i < OPTION_ID_COUNT; i++) {
        spelling_try(&s, option_table[i].name);
        spelling_try(&s, option_table[i].alias);
    }
    return s.nearest;
}

static bool unknown_option(const char *word, struct error *err)
{
    const char *typed = word + (word[1] == '-' ? 2 : 1);
    size_t n = strcspn(typed, "=");
    int shown = (int)(typed - word) + (int)(n > NAME_MAX_CHARS ? NAME_MAX_CHARS : n);
    const char *nearest = nearest_name(typed, n);
    if (nearest)
        return error_set(err, SHEAF_ERROR_ARGUMENT, "unknown option '%.*s': did you mean '-%s'?",
                         shown, word, nearest);
    return error_set(err, SHEAF_ERROR_ARGUMENT,
                     "unknown option '%.*s': 'loader -help' lists the options", shown, word);
}

bool option_parse_int(const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (end == text || *end || errno || isspace((unsigned char)text[0]))
        return false;
    *out = v;
    return true;
}

bool option_parse_float(const char *text, double *out)
{
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end || !isfinite(v) || isspace((unsigned char)text[0]))
        return false;
    *out = v;
    return true;
}

/* Position of `text` in "A|B|C", or -1. */
static int choice_index(const char *words, const char *text)
{
    size_t n = strlen(text);
    for (int i = 0; n; i++) {
        size_t len = strcspn(words, "|");
        if (len == n && memcmp(words, text, n) == 0)
            return i;
        if (!words[len])
            break;
        words += len + 1;
    }
    return -1;
}

static bool set_bool(const struct option_desc *d, bool *field, const char *text, struct error *err)
{
    if (strcmp(text, "true") == 0 || strcmp(text, "1") == 0)
        *field = true;
    else if (strcmp(text, "false") == 0 || strcmp(text, "0") == 0)
        *field = false;
    else
        return error_set(err, SHEAF_ERROR_ARGUMENT, "option -%s is true or false, not '%s'",
                         d->name, text);
    return true;
}

/* One piece of the value of a list. */
static bool add_item(struct arena *a, const struct option_desc *d, void *field, const char *item,
                     struct error *err)
{
    if (d->kind == OPTION_KIND_INTS) {
        struct option_ints *list = field;
        int64_t v;
        if (!option_parse_int(item, &v))
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "option -%s takes whole numbers, '%s' is none", d->name, item);
        ARENA_PUSH(a, list->item, list->n, list->cap) = v;
    } else if (d->kind == OPTION_KIND_FLOATS) {
        struct option_floats *list = field;
        double v;
        if (!option_parse_float(item, &v))
            return error_set(err, SHEAF_ERROR_ARGUMENT, "option -%s takes numbers, '%s' is none",
                             d->name, item);
        ARENA_PUSH(a, list->item, list->n, list->cap) = v;
    } else {
        struct option_texts *list = field;
        ARENA_PUSH(a, list->item, list->n, list->cap) = item;
    }
    return true;
}

static bool add_list(struct arena *a, const struct option_desc *d, void *field, const char *text,
                     struct error *err)
{
    for (const char *p = text;; p++) {
        size_t n = strcspn(p, ",");
        if (!n)
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "option -%s: the list '%s' has an empty item", d->name, text);
        if (!add_item(a, d, field, arena_strndup(a, p, n), err))
            return false;
        p += n;
        if (!*p)
            return true;
    }
}

static bool set_option(struct arena *a, struct loader_options *opt, const struct option_desc *d,
                       const char *text, struct error *err)
{
    void *field = field_of(opt, d);
    switch (d->kind) {
    case OPTION_KIND_BOOL:
        return set_bool(d, field, text, err);
    case OPTION_KIND_INT:
        if (option_parse_int(text, field))
            return true;
        return error_set(err, SHEAF_ERROR_ARGUMENT, "option -%s takes a whole number, '%s' is none",
                         d->name, text);
    case OPTION_KIND_STRING:
        *(const char **)field = text;
        return true;
    case OPTION_KIND_CHOICE: {
        int i = choice_index(d->value, text);
        if (i < 0)
            return error_set(err, SHEAF_ERROR_ARGUMENT, "option -%s is one of %s, not '%s'",
                             d->name, d->value, text);
        *(int *)field = i;
        return true;
    }
    case OPTION_KIND_NUMBER:
        if (option_parse_float(text, field))
            return true;
        return error_set(err, SHEAF_ERROR_ARGUMENT, "option -%s takes a number, '%s' is none",
                         d->name, text);
    case OPTION_KIND_REPEAT:
        return add_item(a, d, field, text, err);
    case OPTION_KIND_LIST:
    case OPTION_KIND_FLOATS:
    case OPTION_KIND_INTS:
        return add_list(a, d, field, text, err);
    }
    return false;
}

static bool is_single(enum option_kind kind)
{
    return kind == OPTION_KIND_BOOL || kind == OPTION_KIND_INT || kind == OPTION_KIND_STRING ||
           kind == OPTION_KIND_CHOICE || kind == OPTION_KIND_NUMBER;
}

static bool ends_in(const char *text, const char *suffix)
{
    size_t n = strlen(text), m = strlen(suffix);
    return n >= m && strcmp(text + n - m, suffix) == 0;
}

/* `-m net.pb init.pb`: the weights may follow as a word of their own. */
static bool is_weights_word(const struct loader_options *opt, const char *word)
{
    return opt->model.n == 1 && word && word[0] != '-' &&
           (ends_in(word, ".pb") || ends_in(word, ".pbtxt"));
}

/* Parses the option at argv[*i] and moves *i to its last word. */
static bool parse_option(struct arena *a, int argc, char *const *argv, int *i,
                         struct loader_options *opt, struct error *err)
{
    const char *word = argv[*i];
    int id = find_option(word);
    if (id < 0)
        return unknown_option(word, err);
    const struct option_desc *d = &option_table[id];
    const char *equals = strchr(word, '=');
    const char *value = equals ? equals + 1 : NULL;
    if (opt->given[id] && is_single(d->kind))
        return error_set(err, SHEAF_ERROR_ARGUMENT, "option -%s is given twice", d->name);
    opt->given[id] = true;

    if (!value && d->kind == OPTION_KIND_BOOL) {
        value = "true";
    } else if (!value && *i + 1 < argc) {
        value = argv[*i + 1];
        /* A value may begin with a dash, as in `-mean -1,2,3`, unless it spells an option. */
        if (find_option(value) >= 0)
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "option -%s needs a value (%s), but the option '%s' follows", d->name,
                             d->value, value);
        ++*i;
    }
    if (!value || !*value)
        return error_set(err, SHEAF_ERROR_ARGUMENT, "option -%s needs a value (%s)", d->name,
                         d->value ? d->value : "true or false");
    if (!set_option(a, opt, d, value, err))
        return false;
    if (id == OPTION_ID_model && is_weights_word(opt, *i + 1 < argc ? argv[*i + 1] : NULL))
        return set_option(a, opt, d, argv[++*i], err);
    return true;
}

bool options_parse(struct arena *a, int argc, char *const *argv, struct loader_options *out_options,
                   struct error *err)
{
    struct loader_options opt;
    memset(&opt, 0, sizeof opt);
    for (int id = 0; id < OPTION_ID_COUNT; id++) {
        const struct option_desc *d = &option_table[id];
        if (d->kind == OPTION_KIND_CHOICE && d->name)
            *(int *)field_of(&opt, d) = -1;
        if (d->initial && !set_option(a, &opt, d, d->initial, err))
            return false;
    }
    bool options_end = false;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (options_end || word[0] != '-' || !word[1])
            ARENA_PUSH(a, opt.images.item, opt.images.n, opt.images.cap) = word;
        else if (strcmp(word, "--") == 0)
            options_end = true;
        else if (!parse_option(a, argc, argv, &i, &opt, err))
            return false;
    }
    *out_options = opt;
    return true;
}
