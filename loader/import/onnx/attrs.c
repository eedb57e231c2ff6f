/*
 * Attributes against the opset of their node, before anybody reads them: so that one of a newer
 * version is refused in an older one, where it would have meant nothing to its exporter.
 */
#include <string.h>

#include "loader/import/onnx/onnx.h"

enum presence { OPTIONAL, REQUIRED, IGNORED };

struct attr_rule {
    const char *op_type; /* NULL: any */
    const char *attr;
    int32_t from, to; /* opsets, both included */
    enum presence presence;
};

static const struct attr_rule rules[] = {
#define ATTR(op_type, name, from, to, presence) {op_type, name, from, to, presence},
#include "loader/import/onnx/attrs.def"
#undef ATTR
};
enum { N_RULES = sizeof rules / sizeof rules[0] };

static bool is_of(const struct attr_rule *r, const struct draft *d)
{
    return !r->op_type || !strcmp(r->op_type, d->op_type);
}

static bool holds(const struct attr_rule *r, const struct onnx *o)
{
    return o->opset >= r->from && o->opset <= r->to;
}

static bool has_attr(const struct draft *d, const char *name)
{
    for (size_t i = 0; i < d->n_attrs; i++)
        if (!strcmp(d->attrs[i].name, name))
            return true;
    return false;
}

static bool refuse(struct onnx *o, const struct draft *d, const struct attr_rule *r)
{
    const char *to = r->to == NEWEST ? "on" : arena_printf(o->im.arena, "to %d", (int)r->to);
    return draft_error(o, d, SHEAF_ERROR_FORMAT,
                       "%s of opset %lld has no attribute '%s', which is of opsets %d %s",
                       d->op_type, (long long)o->opset, r->attr, (int)r->from, to);
}

static bool check_attr(struct onnx *o, struct draft *d, struct draft_attr *a)
{
    const struct attr_rule *other = NULL;
    for (size_t i = 0; i < N_RULES; i++) {
        const struct attr_rule *r = &rules[i];
        if (strcmp(r->attr, a->name) != 0 || !is_of(r, d))
            continue;
        if (holds(r, o)) {
            a->used |= r->presence == IGNORED;
            return true;
        }
        other = r;
    }
    /* Such names are no operator's: ONNX's own checker passes them over, and exporters leave notes
       for themselves there. */
    a->used |= !strncmp(a->name, "__", 2);
    return !other || refuse(o, d, other);
}

bool onnx_check_attrs(struct onnx *o, struct draft *d)
{
    for (size_t i = 0; i < N_RULES; i++)
        if (rules[i].presence == REQUIRED && is_of(&rules[i], d) && holds(&rules[i], o) &&
            !has_attr(d, rules[i].attr))
            return draft_error(o, d, SHEAF_ERROR_FORMAT, "%s lacks the attribute '%s'", d->op_type,
                               rules[i].attr);
    for (size_t i = 0; i < d->n_attrs; i++)
        if (!check_attr(o, d, &d->attrs[i]))
            return false;
    return true;
}
