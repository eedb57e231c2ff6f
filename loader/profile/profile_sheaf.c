/*
 * profile_sheaf.c: our own format, read.  docs/profiles.md states it.
 *
 * All that a histogram says follows from its bins but Min and Max, and these settle the exponent
 * and the two outermost bins.  So nearly every edit that is not consistent is found.
 */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "loader/profile/formats.h"

enum {
    /* Of the largest f32, which is below 2^128. */
    MAX_EXPONENT = 118
};

/* One entry of Tensors. */
struct entry {
    const char *name;
    uint64_t count;
    float min, max;
    int64_t exponent, first_bin;
    uint64_t bin[HISTOGRAM_BINS];
    size_t n_bins;
};

/* ---- one tensor ---- */

static bool read_exponent(struct yaml_reader *r, void *target)
{
    return yaml_reader_int(r, HISTOGRAM_MIN_EXPONENT, MAX_EXPONENT, target);
}

static bool read_first_bin(struct yaml_reader *r, void *target)
{
    return yaml_reader_int(r, -HISTOGRAM_SIDE, HISTOGRAM_SIDE - 1, target);
}

static bool read_bin(struct yaml_reader *r, void *target)
{
    struct entry *e = target;
    r->key = "a bin of Histogram";
    if (e->n_bins == HISTOGRAM_BINS)
        return yaml_reader_fault(r, SHEAF_ERROR_FORMAT,
                                 "Histogram has more bins than the %d that there are",
                                 HISTOGRAM_BINS);
    return yaml_reader_count(r, &e->bin[e->n_bins++]);
}

static bool read_bins(struct yaml_reader *r, void *target)
{
    return yaml_reader_sequence(r, read_bin, target);
}

static const struct yaml_key tensor_keys[] = {
    {"Name", yaml_reader_text, offsetof(struct entry, name)},
    {"Count", yaml_reader_count, offsetof(struct entry, count)},
    {"Min", yaml_reader_float, offsetof(struct entry, min)},
    {"Max", yaml_reader_float, offsetof(struct entry, max)},
    {"Exponent", read_exponent, offsetof(struct entry, exponent)},
    {"FirstBin", read_first_bin, offsetof(struct entry, first_bin)},
    {"Histogram", read_bins, 0},
};

/* Position of the first (step 1) or last (step -1) bin that is not empty. */
static size_t outermost(const struct histogram *h, int step)
{
    size_t i = step > 0 ? 0 : HISTOGRAM_BINS - 1;
    while (h->bin[i] == 0)
        i += (size_t)step;
    return i;
}

static bool sum_bins(const struct entry *e, uint64_t *out_sum)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < e->n_bins; i++)
        if (__builtin_add_overflow(sum, e->bin[i], &sum))
            return false;
    *out_sum = sum;
    return true;
}

/* Fills the histogram, which is empty. */
static bool check_bins(const struct yaml_reader *r, const struct entry *e, struct histogram *h)
{
    const float ends[2] = {e->min, e->max};
    histogram_add(h, ends, 2);
    if (e->exponent != h->exponent)
        return yaml_reader_fault(r, SHEAF_ERROR_FORMAT,
                                 "tensor '%s': Exponent is %d, but values from Min to Max need %d",
                                 e->name, (int)e->exponent, h->exponent);
    size_t first = outermost(h, 1), last = outermost(h, -1);
    int64_t first_bin = (int64_t)first - HISTOGRAM_SIDE;
    if (e->first_bin != first_bin)
        return yaml_reader_fault(r, SHEAF_ERROR_FORMAT,
                                 "tensor '%s': FirstBin is %d, but Min lies in bin %d", e->name,
                                 (int)e->first_bin, (int)first_bin);
    if (e->n_bins != last - first + 1)
        return yaml_reader_fault(r, SHEAF_ERROR_FORMAT,
                                 "tensor '%s': Histogram has %zu bins, but from Min to Max there "
                                 "are %zu",
                                 e->name, e->n_bins, last - first + 1);
    if (e->bin[0] == 0 || e->bin[e->n_bins - 1] == 0)
        return yaml_reader_fault(r, SHEAF_ERROR_FORMAT,
                                 "tensor '%s': the bins of Min and Max must not be empty", e->name);
    h->count = e->count;
    memset(h->bin, 0, sizeof h->bin);
    memcpy(h->bin + first, e->bin, e->n_bins * sizeof *e->bin);
    return true;
}

static bool check_entry(const struct yaml_reader *r, const struct entry *e, struct histogram *h)
{
    uint64_t sum;
    if (e->name[0] == '\0')
        return yaml_reader_fault(r, SHEAF_ERROR_FORMAT, "Name is empty");
    if (e->min > e->max)
        return yaml_reader_fault(r, SHEAF_ERROR_FORMAT, "tensor '%s': Min %g is above Max %g",
                                 e->name, (double)e->min, (double)e->max);
    if (!sum_bins(e, &sum) || sum != e->count)
        return yaml_reader_fault(r, SHEAF_ERROR_FORMAT,
                                 "tensor '%s': the bins of Histogram do not add up to Count",
                                 e->name);
    histogram_init(h);
    if (e->count > 0)
        return check_bins(r, e, h);
    if (e->min != 0 || e->max != 0 || e->n_bins != 0)
        return yaml_reader_fault(r, SHEAF_ERROR_FORMAT,
                                 "tensor '%s': with Count 0, Min and Max are 0 and there are no "
                                 "bins",
                                 e->name);
    return true;
}

static bool read_tensor(struct yaml_reader *r, void *target)
{
    struct profile *p = target;
    struct entry e = {0};
    if (!yaml_reader_mapping(r, "an entry of Tensors", tensor_keys,
                             sizeof tensor_keys / sizeof *tensor_keys, &e))
        return false;
    struct histogram *h = arena_new(r->arena, struct histogram);
    if (!check_entry(r, &e, h))
        return false;
    ARENA_PUSH(r->arena, p->tensor, p->n, p->cap) = (struct profile_tensor){e.name, h};
    return true;
}

/* ---- the document ---- */

static bool read_version(struct yaml_reader *r, void *target)
{
    (void)target;
    uint64_t version;
    if (!yaml_reader_count(r, &version))
        return false;
    if (version != PROFILE_VERSION)
        return yaml_reader_fault(r, SHEAF_ERROR_VERSION,
                                 "this is a profile of version %llu, the tool reads version %d",
                                 (unsigned long long)version, PROFILE_VERSION);
    return true;
}

static bool read_tensors(struct yaml_reader *r, void *target)
{
    return yaml_reader_sequence(r, read_tensor, target);
}

static const struct yaml_key document_keys[] = {
    {"SheafProfile", read_version, 0},
    {"Tool", yaml_reader_skip, 0}, /* who wrote it is for people */
    {"Model", yaml_reader_text, offsetof(struct profile, model)},
    {"Operators", yaml_reader_hex, offsetof(struct profile, identity.operators)},
    {"Weights", yaml_reader_hex, offsetof(struct profile, identity.weights)},
    {"Processor", yaml_reader_text, offsetof(struct profile, processor)},
    {"Samples", yaml_reader_count, offsetof(struct profile, samples)},
    {"Tensors", read_tensors, 0},
};

bool profile_read_sheaf(struct yaml_reader *r, struct profile *p)
{
    if (!yaml_reader_mapping(r, "a profile", document_keys,
                             sizeof document_keys / sizeof *document_keys, p) ||
        !yaml_reader_document_end(r))
        return false;
    if (p->samples == 0)
        return yaml_reader_fault(r, SHEAF_ERROR_FORMAT, "the profile is of no samples");
    if (p->n == 0)
        return yaml_reader_fault(r, SHEAF_ERROR_FORMAT, "the profile has no tensors");
    return yaml_reader_expect(r, YAML_STREAM_END_EVENT, "the end of the file");
}
