/*
 * profile_glow.c: Glow's format, read.
 *
 * A bin of Glow's counts values in (Max - Min) / n; ours have widths of powers of two.  The values
 * of a bin are taken as spread evenly over it: of its count c, the part up to an edge x of ours is
 * c * (x - low) / (high - low), rounded half up, and each of our bins gets the difference of two
 * neighbours.  So sums are exact and equal files give equal histograms.
 */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "loader/profile/formats.h"

#define LIMIT_GLOW_COUNT 9007199254740992.0 /* 2^53: beyond, doubles skip whole numbers */

enum { LIMIT_GLOW_BINS = 1 << 20 };

struct entry {
    const char *name;
    float min, max;
    double *bin;
    size_t n_bins, cap_bins;
};

struct document {
    struct profile *profile;
    struct entry *entry;
};

/* ---- one tensor ---- */

/* Glow keeps counts as floats, and prints large ones with an exponent. */
static bool read_bin(struct yaml_reader *r, void *target)
{
    struct entry *e = target;
    double count;
    r->key = "a bin of Histogram";
    if (e->n_bins == LIMIT_GLOW_BINS)
        return yaml_reader_fault(r, SHEAF_ERROR_FORMAT, "Histogram has more than %d bins",
                                 LIMIT_GLOW_BINS);
    if (!yaml_reader_double(r, &count))
        return false;
    if (count < 0 || count > LIMIT_GLOW_COUNT)
        return yaml_reader_fault(r, SHEAF_ERROR_FORMAT, "a bin of Histogram cannot count %g values",
                                 count);
    ARENA_PUSH(r->arena, e->bin, e->n_bins, e->cap_bins) = floor(count + 0.5);
    return true;
}

static bool read_bins(struct yaml_reader *r, void *target)
{
    return yaml_reader_sequence(r, read_bin, target);
}

static const struct yaml_key tensor_keys[] = {
    {"NodeOutputName", yaml_reader_text, offsetof(struct entry, name)},
    {"Min", yaml_reader_float, offsetof(struct entry, min)},
    {"Max", yaml_reader_float, offsetof(struct entry, max)},
    {"Histogram", read_bins, 0},
};

static size_t bin_of(const struct histogram *h, double x)
{
    return (size_t)(floor(ldexp(x, -h->exponent)) + HISTOGRAM_SIDE);
}

static void spread(struct histogram *h, double low, double high, double count)
{
    size_t i = bin_of(h, low);
    double placed = 0;
    for (; i < HISTOGRAM_BINS - 1 && histogram_edge(h, i + 1) < high; i++) {
        double up_to = floor(count * (histogram_edge(h, i + 1) - low) / (high - low) + 0.5);
        h->bin[i] += (uint64_t)(up_to - placed);
        placed = up_to;
    }
    h->bin[i] += (uint64_t)(count - placed);
}

/* Fills the histogram, which is empty. */
static bool convert(const struct yaml_reader *r, const struct entry *e, struct histogram *h)
{
    const float ends[2] = {e->min, e->max};
    if (e->min > e->max)
        return yaml_reader_fault(r, SHEAF_ERROR_FORMAT, "tensor '%s': Min %g is above Max %g",
                                 e->name, (double)e->min, (double)e->max);
    double sum = 0, width = ((double)e->max - e->min) / (double)e->n_bins;
    for (size_t i = 0; i < e->n_bins; i++)
        sum += e->bin[i];
    if (!(sum > 0 && sum <= LIMIT_GLOW_COUNT))
        return yaml_reader_fault(r, SHEAF_ERROR_FORMAT, "tensor '%s': Histogram counts %s values",
                                 e->name, sum > 0 ? "too many" : "no");
    histogram_add(h, ends, 2);
    memset(h->bin, 0, sizeof h->bin);
    h->count = (uint64_t)sum;
    for (size_t i = 0; i < e->n_bins; i++) {
        double low = e->min + width * (double)i;
        spread(h, low, i + 1 == e->n_bins ? e->max : low + width, e->bin[i]);
    }
    return true;
}

static bool read_tensor(struct yaml_reader *r, void *target)
{
    struct document *d = target;
    struct profile *p = d->profile;
    d->entry->n_bins = 0;
    if (!yaml_reader_mapping(r, "an entry of Glow's profile", tensor_keys,
                             sizeof tensor_keys / sizeof *tensor_keys, d->entry))
        return false;
    struct histogram *h = arena_new(r->arena, struct histogram);
    histogram_init(h);
    if (!convert(r, d->entry, h))
        return false;
    ARENA_PUSH(r->arena, p->tensor, p->n, p->cap) = (struct profile_tensor){d->entry->name, h};
    return true;
}

/* ---- the documents ---- */

static const struct yaml_key version_keys[] = {{"GlowToolsVersion", yaml_reader_skip, 0}};
static const struct yaml_key hash_keys[] = {{"GraphPreLowerHash", yaml_reader_hex, 0}};

bool profile_read_glow(struct yaml_reader *r, struct profile *p)
{
    struct entry entry = {0};
    struct document d = {p, &entry};
    uint64_t hash;
    p->from_glow = true;
    if (!yaml_reader_mapping(r, "the head of Glow's profile", version_keys, 1, p) ||
        !yaml_reader_document_end(r) ||
        !yaml_reader_expect(r, YAML_DOCUMENT_START_EVENT, "the document of the graph's hash") ||
        !yaml_reader_next(r) ||
        !yaml_reader_mapping(r, "the second document", hash_keys, 1, &hash) ||
        !yaml_reader_document_end(r) ||
        !yaml_reader_expect(r, YAML_DOCUMENT_START_EVENT, "the document of the tensors") ||
        !yaml_reader_next(r))
        return false;
    r->key = "the third document";
    if (!yaml_reader_sequence(r, read_tensor, &d) || !yaml_reader_document_end(r))
        return false;
    if (p->n == 0)
        return yaml_reader_fault(r, SHEAF_ERROR_FORMAT, "the profile has no tensors");
    return yaml_reader_expect(r, YAML_STREAM_END_EVENT, "the end of the file");
}
