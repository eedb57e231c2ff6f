#define _POSIX_C_SOURCE 200809L
#include "loader/profile/profile_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bundle/write/file.h"
#include "ir/version.h"
#include "loader/profile/formats.h"

enum { LINE_COLUMNS = 100 };

/* ---- writing ---- */

/* Length of the UTF-8 character at `text` and its number; 0 where there is none (RFC 3629). */
static size_t decode_utf8(const char *text, uint32_t *out_char)
{
    const uint8_t *p = (const uint8_t *)text;
    size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    if ((p[0] >= 0x80 && p[0] < 0xc0) || p[0] >= 0xf8)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    *out_char = c;
    return n;
}

/* What YAML 1.2 (5.1, 5.4) lets stand in single quotes on one line. */
static bool is_printable(uint32_t c)
{
    return (c >= 0x20 && c < 0x7f) ||
           (c >= 0xa0 && c != 0x2028 && c != 0x2029 && c != 0xfeff && c != 0xfffe && c != 0xffff);
}

/* 'text' where all can be printed, else "text" with escapes. */
static bool print_text(struct strbuf *out, const char *text, struct error *err)
{
    bool plain = true;
    uint32_t c = 0;
    for (size_t i = 0, n; text[i]; i += n) {
        n = decode_utf8(text + i, &c);
        if (n == 0)
            return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                             "the name '%s' is no UTF-8 text and cannot stand in a profile", text);
        plain = plain && is_printable(c);
    }
    strbuf_add(out, plain ? "'" : "\"");
    for (size_t i = 0, n; text[i]; i += n) {
        n = decode_utf8(text + i, &c);
        if (plain ? c == '\'' : c == '"' || c == '\\')
            strbuf_add(out, plain ? "'" : "\\");
        if (is_printable(c))
            strbuf_addn(out, text + i, n);
        else
            strbuf_printf(out, "\\U%08" PRIx32, c);
    }
    strbuf_add(out, plain ? "'" : "\"");
    return true;
}

/* The shortest decimal that reads back as the same number (%g leaves trailing zeros out, and with
   six digits 1000 is not 1e+03); zero has no sign. */
static void print_float(struct strbuf *out, const char *key, float v)
{
    char text[32];
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)(v + 0.0f));
        if (strtof(text, NULL) == v)
            break;
    }
    strbuf_printf(out, "  %s: %s\n", key, text);
}

static void print_bins(struct strbuf *out, const struct histogram *h)
{
    size_t first = 0, end = HISTOGRAM_BINS;
    while (first < end && h->bin[first] == 0)
        first++;
    while (end > first && h->bin[end - 1] == 0)
        end--;
    strbuf_printf(out, "  FirstBin: %d\n  Histogram: [",
                  h->count ? (int)first - HISTOGRAM_SIDE : 0);
    size_t column = strlen("  Histogram: [");
    for (size_t i = first; i < end; i++) {
        char text[32];
        int n = snprintf(text, sizeof text, "%" PRIu64 "%s", h->bin[i], i + 1 < end ? "," : "");
        if (column + 1 + (size_t)n > LINE_COLUMNS) {
            strbuf_add(out, "\n   ");
            column = 3;
        }
        if (i > first) {
            strbuf_add(out, " ");
            column++;
        }
        strbuf_addn(out, text, (size_t)n);
        column += (size_t)n;
    }
    strbuf_add(out, "]\n");
}

bool profile_print(struct strbuf *out, const struct profile *p, struct error *err)
{
    if (p->from_glow)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "profiles of Glow are read, not written");
    strbuf_printf(out, "---\nSheafProfile: %d\nTool: '%s'\nModel: ", PROFILE_VERSION, SHEAF_TOOL);
    if (!print_text(out, p->model, err))
        return false;
    strbuf_printf(out, "\nOperators: 0x%016" PRIx64 "\nWeights: 0x%016" PRIx64 "\nProcessor: ",
                  p->identity.operators, p->identity.weights);
    if (!print_text(out, p->processor, err))
        return false;
    strbuf_printf(out, "\nSamples: %" PRIu64 "\nTensors:\n", p->samples);
    for (size_t i = 0; i < p->n; i++) {
        const struct histogram *h = p->tensor[i].histogram;
        strbuf_add(out, "- Name: ");
        if (!print_text(out, p->tensor[i].name, err))
            return false;
        strbuf_printf(out, "\n  Count: %" PRIu64 "\n", h->count);
        print_float(out, "Min", h->min);
        print_float(out, "Max", h->max);
        strbuf_printf(out, "  Exponent: %d\n", h->exponent);
        print_bins(out, h);
    }
    strbuf_add(out, "...\n");
    return true;
}

bool profile_write(const char *path, const struct profile *p, struct error *err)
{
    struct arena a;
    struct strbuf text;
    arena_init(&a);
    strbuf_init(&text, &a);
    bool ok =
        profile_print(&text, p, err) && file_write_atomic(path, strbuf_text(&text), text.len, err);
    arena_done(&a);
    return ok;
}

/* ---- reading ---- */

typedef bool read_fn(struct yaml_reader *r, struct profile *p);

static bool open_document(struct yaml_reader *r, struct arena *a, const char *path,
                          const uint8_t *data, size_t size, struct error *err)
{
    return yaml_reader_open(r, a, path, data, size, err) &&
           yaml_reader_expect(r, YAML_DOCUMENT_START_EVENT, "a profile") && yaml_reader_next(r);
}

/* The format is known by the first key. */
static bool find_format(struct yaml_reader *r, read_fn **out_read)
{
    bool is_list = yaml_reader_is(r, YAML_SEQUENCE_START_EVENT);
    if (is_list && !yaml_reader_next(r))
        return false;
    if (yaml_reader_is(r, YAML_MAPPING_START_EVENT)) {
        if (!yaml_reader_next(r))
            return false;
        const char *key =
            yaml_reader_is(r, YAML_SCALAR_EVENT) ? (const char *)r->event.data.scalar.value : "";
        *out_read = is_list                                ? NULL
                    : strcmp(key, "SheafProfile") == 0     ? profile_read_sheaf
                    : strcmp(key, "GlowToolsVersion") == 0 ? profile_read_glow
                                                           : NULL;
        if (*out_read)
            return true;
        if (is_list && strcmp(key, "nodeOutputName") == 0)
            return yaml_reader_fault(r, SHEAF_ERROR_VERSION,
                                     "this profile is from Glow before March 2020, which kept "
                                     "scales and offsets, not what tensors held: capture it anew");
    }
    return yaml_reader_fault(r, SHEAF_ERROR_FORMAT,
                             "this is no profile: it begins with neither SheafProfile nor "
                             "GlowToolsVersion");
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool check_names(const char *path, const struct profile *p, struct error *err)
{
    struct arena a;
    arena_init(&a);
    bool ok = true;
    const char **names = arena_array(&a, p->n, sizeof *names);
    for (size_t i = 0; i < p->n; i++)
        names[i] = p->tensor[i].name;
    qsort(names, p->n, sizeof *names, compare_names);
    for (size_t i = 1; ok && i < p->n; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            ok = error_set(err, SHEAF_ERROR_FORMAT, "%s: tensor '%s' stands there twice", path,
                           names[i]);
    arena_done(&a);
    return ok;
}

bool profile_parse(struct arena *a, const char *path, const uint8_t *data, size_t size,
                   struct profile **out_profile, struct error *err)
{
    struct yaml_reader r;
    read_fn *read = NULL;
    bool ok = open_document(&r, a, path, data, size, err) && find_format(&r, &read);
    yaml_reader_close(&r);
    if (!ok)
        return false;
    struct profile *p = arena_new(a, struct profile);
    *p = (struct profile){.model = "", .processor = ""};
    ok = open_document(&r, a, path, data, size, err) && read(&r, p);
    yaml_reader_close(&r);
    if (!ok || !check_names(path, p, err))
        return false;
    *out_profile = p;
    return true;
}

static bool read_checked(struct arena *a, const char *path, const struct profile_identity *model,
                         const char *model_name, struct profile **out_profile, struct error *err)
{
    struct file_map map = {0};
    struct error fault;
    error_init(&fault);
    bool ok = file_map(path, LIMIT_PROFILE_BYTES, &map, err) &&
              profile_parse(a, path, map.data, map.size, out_profile, err);
    file_unmap(&map);
    if (ok && model && !profile_check(*out_profile, model, model_name, &fault))
        ok = error_set(err, fault.status, "%s: %s", path, fault.text);
    return ok;
}

/* Whatever their paths.  What cannot be looked at is for the reader to refuse. */
static bool check_distinct(const char *const *paths, size_t n, struct error *err)
{
    struct arena a;
    arena_init(&a);
    struct stat *file = arena_array(&a, n, sizeof *file);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        if (stat(paths[i], &file[i]) != 0)
            file[i] = (struct stat){0};
        for (size_t k = 0; ok && k < i; k++)
            if (file[i].st_ino && file[i].st_ino == file[k].st_ino &&
                file[i].st_dev == file[k].st_dev)
                ok = error_set(err, SHEAF_ERROR_ARGUMENT,
                               "%s is the same profile as %s: its samples would count twice",
                               paths[i], paths[k]);
    }
    arena_done(&a);
    return ok;
}

bool profile_load(struct arena *a, const char *const *paths, size_t n,
                  const struct profile_identity *model, const char *model_name,
                  struct profile **out_profile, struct error *err)
{
    struct profile *all = NULL;
    bool ok = check_distinct(paths, n, err);
    for (size_t i = 0; ok && i < n; i++) {
        struct arena scratch;
        struct profile *one;
        struct error fault;
        arena_init(&scratch);
        error_init(&fault);
        ok = read_checked(i ? &scratch : a, paths[i], model, model_name, &one, err);
        if (ok && i == 0)
            all = one;
        else if (ok && !profile_merge(all, one, &fault))
            ok = error_set(err, fault.status, "%s cannot be merged with %s: %s", paths[i], paths[0],
                           fault.text);
        arena_done(&scratch);
    }
    if (ok)
        *out_profile = all;
    return ok;
}
