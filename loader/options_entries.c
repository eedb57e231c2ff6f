/* Further entries of a bundle: -add-entry and the options that are about one of them. */
#include <string.h>

#include "loader/option_table.h"
#include "loader/options.h"

/* In -may-run-together: that of -model. */
static const char MAIN_ENTRY[] = "main";

/* The entry that `text`, NAME=REST, is about; *out_rest is what stands behind the sign. */
static struct entry_arg *find_entry(struct arena *a, struct loader_options *opt, enum option_id id,
                                    const char *text, const char **out_rest, struct error *err)
{
    const char *option = option_table[id].name, *equals = strchr(text, '=');
    if (!equals || equals == text || !equals[1]) {
        error_set(err, SHEAF_ERROR_ARGUMENT,
                  "-%s '%s': the name of an entry, '=' and a %s are needed", option, text,
                  id == OPTION_ID_entry_input ? "description of an input" : "path");
        return NULL;
    }
    const char *name = arena_strndup(a, text, (size_t)(equals - text));
    *out_rest = equals + 1;
    if (strcmp(name, MAIN_ENTRY) == 0) {
        error_set(err, SHEAF_ERROR_ARGUMENT,
                  "option -%s: '%s' stands for the entry of -model, so no other has that name",
                  option, name);
        return NULL;
    }
    for (size_t i = 0; i < opt->n_entries; i++)
        if (strcmp(opt->entries[i].name, name) == 0)
            return &opt->entries[i];
    if (id != OPTION_ID_add_entry) {
        error_set(err, SHEAF_ERROR_ARGUMENT, "option -%s: no -add-entry names '%s'", option, name);
        return NULL;
    }
    struct entry_arg *e = &opt->entries[opt->n_entries++];
    e->name = name;
    return e;
}

static void add_text(struct arena *a, struct option_texts *texts, const char *text)
{
    const char **item = arena_array(a, texts->n + 1, sizeof *item);
    if (texts->n)
        memcpy(item, texts->item, texts->n * sizeof *item);
    item[texts->n++] = text;
    texts->item = item;
}

/* A path, or the two of a Caffe2 model; profiles of one model. */
static void add_paths(struct arena *a, struct option_texts *texts, const char *paths)
{
    for (const char *p = paths;;) {
        size_t n = strcspn(p, ",");
        add_text(a, texts, arena_strndup(a, p, n));
        if (!p[n])
            return;
        p += n + 1;
    }
}

static bool parse_models(struct arena *a, struct loader_options *opt, struct error *err)
{
    for (size_t i = 0; i < opt->add_entry.n; i++) {
        const char *paths;
        struct entry_arg *e =
            find_entry(a, opt, OPTION_ID_add_entry, opt->add_entry.item[i], &paths, err);
        if (!e)
            return false;
        if (e->model.n)
            return error_set(err, SHEAF_ERROR_ARGUMENT, "option -add-entry names '%s' twice",
                             e->name);
        add_paths(a, &e->model, paths);
        if (e->model.n > 2)
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "option -add-entry takes a net and its weights, not %zu paths",
                             e->model.n);
    }
    return true;
}

static bool parse_profiles(struct arena *a, struct loader_options *opt, struct error *err)
{
    for (size_t i = 0; i < opt->entry_profile.n; i++) {
        const char *paths;
        struct entry_arg *e =
            find_entry(a, opt, OPTION_ID_entry_profile, opt->entry_profile.item[i], &paths, err);
        if (!e)
            return false;
        add_paths(a, &e->load_profile, paths);
    }
    return true;
}

static bool parse_inputs(struct arena *a, struct loader_options *opt, struct error *err)
{
    for (size_t i = 0; i < opt->entry_input.n; i++) {
        const char *text;
        struct entry_arg *e =
            find_entry(a, opt, OPTION_ID_entry_input, opt->entry_input.item[i], &text, err);
        struct import_input in;
        const char *said = arena_printf(a, "-entry-input '%s'", opt->entry_input.item[i]);
        if (!e || !model_input_parse(a, said, text, &in, err))
            return false;
        for (size_t j = 0; j < e->n_inputs; j++)
            if (strcmp(e->inputs[j].name, in.name) == 0)
                return error_set(err, SHEAF_ERROR_ARGUMENT,
                                 "option -entry-input names '%s' of '%s' twice", in.name, e->name);
        struct import_input *inputs = arena_array(a, e->n_inputs + 1, sizeof *inputs);
        if (e->n_inputs)
            memcpy(inputs, e->inputs, e->n_inputs * sizeof *inputs);
        inputs[e->n_inputs++] = in;
        e->inputs = inputs;
    }
    return true;
}

/* Position of an entry among all, the main one first; n_entries + 1 where there is none. */
static size_t entry_position(const struct loader_options *opt, const char *name, size_t n)
{
    if (n == strlen(MAIN_ENTRY) && strncmp(name, MAIN_ENTRY, n) == 0)
        return 0;
    for (size_t i = 0; i < opt->n_entries; i++)
        if (strlen(opt->entries[i].name) == n && strncmp(opt->entries[i].name, name, n) == 0)
            return i + 1;
    return opt->n_entries + 1;
}

/* The entries that `text` names may run together, each pair of them. */
static bool parse_group(struct loader_options *opt, const char *text, struct error *err)
{
    size_t n = opt->n_entries + 1;
    for (const char *p = text;; p++) {
        size_t length = strcspn(p, ",");
        size_t at = entry_position(opt, p, length);
        if (at == n)
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "option -may-run-together: '%.*s' is neither an -add-entry nor "
                             "'main', the entry of -model",
                             (int)length, p);
        for (const char *q = text; q != p; q++) {
            size_t other_length = strcspn(q, ",");
            size_t other = entry_position(opt, q, other_length);
            if (at == other)
                return error_set(err, SHEAF_ERROR_ARGUMENT,
                                 "option -may-run-together names '%.*s' twice: a function may "
                                 "always run beside itself, on areas of its own",
                                 (int)length, p);
            opt->together[at * n + other] = opt->together[other * n + at] = true;
            q += other_length;
        }
        p += length;
        if (*p)
            continue;
        if (p == text + length)
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "option -may-run-together names '%s' alone: which may run at the same "
                             "time, takes two or more",
                             text);
        return true;
    }
}

static bool parse_together(struct arena *a, struct loader_options *opt, struct error *err)
{
    size_t n = opt->n_entries + 1;
    opt->together = arena_array(a, n * n, sizeof *opt->together);
    for (size_t i = 0; i < opt->may_run_together.n; i++)
        if (!parse_group(opt, opt->may_run_together.item[i], err))
            return false;
    return true;
}

bool options_entries(struct arena *a, struct loader_options *opt, struct error *err)
{
    opt->entries = arena_array(a, opt->add_entry.n, sizeof *opt->entries);
    return parse_models(a, opt, err) && parse_profiles(a, opt, err) && parse_inputs(a, opt, err) &&
           parse_together(a, opt, err);
}
