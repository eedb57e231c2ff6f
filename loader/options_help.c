/*
 * options_help.c: the option table as the text of -help and as the table of the manual.
 */
#include <string.h>

#include "loader/option_table.h"
#include "loader/options.h"

enum { HELP_COLUMNS = 79, HELP_INDENT = 6 };

/* Words of `text` in lines of HELP_COLUMNS, each indented. */
static void add_wrapped(struct strbuf *out, const char *text)
{
    size_t column = 0;
    while (*text) {
        size_t n = strcspn(text, " ");
        if (column && column + 1 + n > HELP_COLUMNS) {
            strbuf_add(out, "\n");
            column = 0;
        }
        if (!column) {
            strbuf_printf(out, "%*s", HELP_INDENT, "");
            column = HELP_INDENT;
        } else {
            strbuf_add(out, " ");
            column++;
        }
        strbuf_addn(out, text, n);
        column += n;
        text += n;
        text += strspn(text, " ");
    }
    strbuf_add(out, "\n");
}

/* Options that are off and counts that are 0 by default need no mention. */
static const char *shown_default(const struct option_desc *d)
{
    return d->initial && d->kind != OPTION_KIND_BOOL ? d->initial : NULL;
}

void options_print_help(struct strbuf *out)
{
    strbuf_add(out, "usage: loader [IMAGE.png ...] -m MODEL [OPTION ...]\n\n"
                    "Compiles a trained network and runs it, or writes it as a bundle of object "
                    "code\nor as a C library.\n"
                    "Options take one dash or two, '-opt value' or '-opt=value'; hyphens and\n"
                    "underscores are the same.\n");
    for (int id = 0; id < OPTION_ID_COUNT; id++) {
        const struct option_desc *d = &option_table[id];
        if (d->title) {
            strbuf_printf(out, "\n%s\n", d->title);
            continue;
        }
        size_t start = out->len;
        strbuf_printf(out, "  -%s", d->name);
        if (d->alias)
            strbuf_printf(out, ", -%s", d->alias);
        if (d->value)
            strbuf_printf(out, " %s", d->value);
        if (shown_default(d)) {
            bool fits =
                out->len - start + strlen(" (default )") + strlen(d->initial) <= HELP_COLUMNS;
            strbuf_printf(out, "%s(default %s)", fits ? " " : "\n      ", d->initial);
        }
        strbuf_add(out, "\n");
        add_wrapped(out, d->help);
    }
}

/* `text` as a cell: '|' would end it. */
static void add_cell(struct strbuf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            strbuf_add(out, "\\");
        strbuf_addn(out, text, 1);
    }
}

void options_print_markdown(struct strbuf *out)
{
    for (int id = 0; id < OPTION_ID_COUNT; id++) {
        const struct option_desc *d = &option_table[id];
        if (d->title) {
            strbuf_printf(out, "%s### %s\n\n| option | default | meaning |\n|---|---|---|\n",
                          id ? "\n" : "", d->title);
            continue;
        }
        strbuf_printf(out, "| `-%s", d->name);
        if (d->value) {
            strbuf_add(out, " ");
            add_cell(out, d->value);
        }
        strbuf_add(out, "`");
        if (d->alias)
            strbuf_printf(out, ", `-%s`", d->alias);
        strbuf_printf(out, " | %s | ", shown_default(d) ? d->initial : "");
        add_cell(out, d->help);
        strbuf_add(out, " |\n");
    }
}
