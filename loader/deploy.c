/* A call becomes the command line that says the same. */
#define _POSIX_C_SOURCE 200809L /* open_memstream */
#include "loader/deploy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/options.h"
#include "loader/run.h"

struct words {
    struct arena *arena;
    char **word;
    size_t n, cap;
};

static void add_option(struct words *w, const char *name, const char *value)
{
    if (value)
        ARENA_PUSH(w->arena, w->word, w->n, w->cap) = arena_printf(w->arena, "-%s=%s", name, value);
}

static bool add_target(struct words *w, const char *target, struct error *err)
{
    static const char *const names[][2] = {
        {"shared_lib", "shared"}, {"lib::shared", "shared"}, {"shared", "shared"},
        {"static_lib", "static"}, {"lib::static", "static"}, {"static", "static"},
    };
    for (size_t i = 0; target && i < sizeof names / sizeof *names; i++) {
        if (strcmp(target, names[i][0]) == 0) {
            add_option(w, "emit-lib", names[i][1]);
            return true;
        }
    }
    return error_set(err, SHEAF_ERROR_ARGUMENT,
                     "sheaf_deploy: the target is shared_lib or static_lib, not '%s'",
                     target ? target : "");
}

static bool add_words(struct words *w, const struct sheaf_deploy_options *o, struct error *err)
{
    if (!o || o->struct_size != sizeof *o)
        return error_set(err, SHEAF_ERROR_VERSION,
                         "sheaf_deploy: struct_size is %zu, and the options of this library have "
                         "%zu bytes",
                         o ? o->struct_size : 0, sizeof *o);
    ARENA_PUSH(w->arena, w->word, w->n, w->cap) = arena_strdup(w->arena, "sheaf_deploy");
    if (!add_target(w, o->target, err))
        return false;
    add_option(w, "model", o->model);
    add_option(w, "lib-name", o->lib_name);
    add_option(w, "func-name", o->func_name);
    add_option(w, "path", o->path);
    add_option(w, "device", o->device);
    add_option(w, "host", o->host);
    add_option(w, "march", o->march);
    add_option(w, "mtune", o->mtune);
    add_option(w, "elf", o->elf);
    add_option(w, "oformat", o->oformat);
    add_option(w, "vector", o->vector);
    add_option(w, "weights", o->weights);
    add_option(w, "cc", o->cc);
    for (size_t i = 0; i < o->n_arguments; i++)
        ARENA_PUSH(w->arena, w->word, w->n, w->cap) = arena_strdup(w->arena, o->arguments[i]);
    return true;
}

/* What the tool prints goes into *out_said, malloc'ed. */
static bool run_words(struct words *w, char **out_said, struct error *err)
{
    struct loader_options opt;
    size_t size, n_mismatches;
    if (!options_parse(w->arena, (int)w->n, w->word, &opt, err) ||
        !options_check(w->arena, &opt, err))
        return false;
    FILE *out = open_memstream(out_said, &size);
    if (!out)
        return error_set(err, SHEAF_ERROR_MEMORY, "sheaf_deploy: out of memory");
    bool ok = loader_run(w->arena, &opt, out, out, &n_mismatches, err);
    fclose(out);
    return ok;
}

enum sheaf_status sheaf_deploy(const struct sheaf_deploy_options *options, char *message,
                               size_t message_size)
{
    struct arena a;
    struct error err;
    char *said = NULL;
    arena_init(&a);
    error_init(&err);
    struct words w = {.arena = &a};
    bool ok = add_words(&w, options, &err) && run_words(&w, &said, &err);
    if (message && message_size)
        snprintf(message, message_size, "%s", ok ? said : err.text);
    free(said);
    arena_done(&a);
    return ok ? SHEAF_OK : err.status;
}
