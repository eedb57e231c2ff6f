#include "loader/loader.h"

#include "ir/version.h"
#include "loader/options.h"
#include "loader/run.h"

/* Exit codes above are taken by the shell (126, 127, 128 + signal). */
enum { MOST_MISMATCHES = 125 };

static bool is_written(FILE *out, struct error *err)
{
    if (fflush(out) == 0 && !ferror(out))
        return true;
    return error_set(err, SHEAF_ERROR_IO, "the output cannot be written");
}

static bool print_about(struct arena *a, const struct loader_options *opt, FILE *out)
{
    struct strbuf text;
    strbuf_init(&text, a);
    if (opt->help)
        options_print_help(&text);
    else if (opt->help_markdown)
        options_print_markdown(&text);
    else if (opt->version)
        strbuf_add(&text, "Sheaf loader, version " SHEAF_VERSION "\n");
    fputs(strbuf_text(&text), out);
    return text.len != 0;
}

int sheaf_loader_main(int argc, char *const *argv, FILE *out, FILE *errout)
{
    struct arena a;
    struct error err;
    struct loader_options opt;
    size_t n_mismatches = 0;
    arena_init(&a);
    error_init(&err);
    bool ok = options_parse(&a, argc, argv, &opt, &err);
    if (ok && !print_about(&a, &opt, out))
        ok =
            options_check(&a, &opt, &err) && loader_run(&a, &opt, out, errout, &n_mismatches, &err);
    ok = is_written(out, &err) && ok;
    if (!ok)
        fprintf(errout, "error: %s\n", err.text);
    arena_done(&a);
    if (!ok)
        return 1;
    return n_mismatches > MOST_MISMATCHES ? MOST_MISMATCHES : (int)n_mismatches;
}
