#include "ir/quantize/profile.h"

#include <stdlib.h>
#include <string.h>

#include "ir/hash.h"

/* ---- whose profile it is ---- */

static uint64_t hash_string(uint64_t h, const char *s)
{
    return hash_bytes(h, s, strlen(s));
}

static uint64_t hash_block(uint64_t h, const struct block *b);

static uint64_t hash_node(uint64_t h, const struct node *n)
{
    h = hash_string(h, op_desc(n->op)->id);
    for (size_t i = 0; i < n->n_out; i++)
        h = hash_string(h, n->out[i] ? n->out[i]->name : "");
    for (size_t i = 0; i < n->n_blocks; i++)
        h = hash_block(h, n->blocks[i]);
    return h;
}

static uint64_t hash_block(uint64_t h, const struct block *b)
{
    for (size_t i = 0; i < b->n_nodes; i++)
        h = hash_node(h, b->nodes[i]);
    return hash_bytes(h, "", 0); /* where the block ends */
}

static uint64_t hash_weights(uint64_t h, const struct graph *g)
{
    /* Integer constants may be shapes, in which the batch size is. */
    for (size_t i = 0; i < g->n_values; i++) {
        const struct value *v = g->values[i];
        if (value_is_constant(v) && dtype_is_float(v->constant->dtype))
            h = hash_bytes(h, v->constant->data, (size_t)tensor_bytes(v->constant));
    }
    return h;
}

struct profile_identity profile_identity_of(const struct graph *imported)
{
    struct profile_identity id = {
        .operators = hash_block(HASH_START, &imported->body),
        .weights = hash_weights(HASH_START, imported),
    };
    id.operators += !id.operators; /* 0 says that it is not known */
    id.weights += !id.weights;
    return id;
}

static bool differ(uint64_t a, uint64_t b)
{
    return a && b && a != b;
}

bool profile_check(const struct profile *p, const struct profile_identity *model,
                   const char *model_name, struct error *err)
{
    if (differ(p->identity.operators, model->operators))
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "the profile of '%s' was captured on another network than '%s': operators "
                         "or names of tensors differ",
                         p->model, model_name);
    if (differ(p->identity.weights, model->weights))
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "the profile of '%s' was captured with other weights than those of '%s': "
                         "capture it again",
                         p->model, model_name);
    return true;
}

/* ---- names ---- */

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Where in `glow` the name, legalised as Glow does, ends; NULL where it does not start with it.
   Legalised: '_' for all but letters and digits, 'A' before a leading digit. */
static const char *skip_legalised(const char *glow, const char *name)
{
    if (*name >= '0' && *name <= '9' && *glow++ != 'A')
        return NULL;
    for (; *name; name++)
        if (*glow++ != (is_word(*name) ? *name : '_'))
            return NULL;
    return glow;
}

/* "__" and a number, which Glow appends to a name that another node bears. */
static const char *skip_number(const char *s)
{
    if (strncmp(s, "__", 2) != 0 || s[2] < '0' || s[2] > '9')
        return NULL;
    return s + 2 + strspn(s + 2, "0123456789");
}

static bool is_result(const char *s, size_t result)
{
    char *end;
    return s && *s == ':' && s[1] >= '0' && s[1] <= '9' && strtoull(s + 1, &end, 10) == result &&
           !*end;
}

/* The node of that name, or, where only nodes with a number behind it are there, a single one. */
static const struct profile_tensor *find_glow(const struct profile *p, const char *name,
                                              size_t result)
{
    const struct profile_tensor *numbered = NULL;
    bool several = false;
    for (size_t i = 0; i < p->n; i++) {
        const char *rest = skip_legalised(p->tensor[i].name, name);
        if (rest && is_result(rest, result))
            return &p->tensor[i];
        if (rest && is_result(skip_number(rest), result)) {
            several = numbered != NULL;
            numbered = &p->tensor[i];
        }
    }
    return several ? NULL : numbered;
}

static const struct profile_tensor *find_exact(const struct profile *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (!strcmp(p->tensor[i].name, name))
            return &p->tensor[i];
    return NULL;
}

const struct histogram *profile_find(const struct profile *p, const char *name)
{
    const struct profile_tensor *t = p->from_glow ? find_glow(p, name, 0) : find_exact(p, name);
    return t ? t->histogram : NULL;
}

const struct histogram *profile_find_value(const struct profile *p, const struct value *v)
{
    const struct node *n = v->producer;
    if (!p->from_glow || !n || !n->name)
        return profile_find(p, v->name);
    size_t result = 0;
    while (n->out[result] != v)
        result++;
    const struct profile_tensor *t = find_glow(p, n->name, result);
    return t ? t->histogram : profile_find(p, v->name);
}

/* ---- merging ---- */

/* Every tensor of p is in `other`. */
static bool covers(const struct profile *other, const struct profile *p, struct error *err)
{
    for (size_t i = 0; i < p->n; i++)
        if (!find_exact(other, p->tensor[i].name))
            return error_set(err, SHEAF_ERROR_ARGUMENT, "tensor '%s' is only in one of them",
                             p->tensor[i].name);
    return true;
}

static bool counts_fit(const struct profile *p, const struct profile *from, struct error *err)
{
    bool fit = from->samples <= UINT64_MAX - p->samples;
    for (size_t i = 0; i < p->n && fit; i++) {
        const struct profile_tensor *t = &p->tensor[i];
        fit = find_exact(from, t->name)->histogram->count <= UINT64_MAX - t->histogram->count;
    }
    return fit || error_set(err, SHEAF_ERROR_ARGUMENT, "together they count more than 2^64 values");
}

bool profile_merge(struct profile *p, const struct profile *from, struct error *err)
{
    if (p->from_glow != from->from_glow)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "one of them is of '%s', the other one is Glow's, which names no network "
                         "and has other names of tensors",
                         p->from_glow ? from->model : p->model);
    if (!profile_check(p, &from->identity, from->model, err) || !covers(from, p, err) ||
        !covers(p, from, err) || !counts_fit(p, from, err))
        return false;
    for (size_t i = 0; i < p->n; i++)
        histogram_merge(p->tensor[i].histogram, find_exact(from, p->tensor[i].name)->histogram);
    p->samples += from->samples;
    if (!p->identity.operators)
        p->identity.operators = from->identity.operators;
    if (!p->identity.weights)
        p->identity.weights = from->identity.weights;
    if (strcmp(p->processor, from->processor) != 0)
        p->processor = "";
    return true;
}
