#include "ir/target.h"

#include <string.h>

#include "ir/strbuf.h"

bool target_next_feature(const char **list, const char **out_feature, size_t *out_length)
{
    if (!**list)
        return false;
    *out_feature = *list;
    *out_length = strcspn(*list, ",");
    *list += *out_length;
    *list += **list == ',';
    return true;
}

bool target_lists(const char *features, const char *name, size_t length)
{
    const char *f;
    size_t n;
    while (target_next_feature(&features, &f, &n))
        if (*f == '+' && n == length + 1 && strncmp(f + 1, name, length) == 0)
            return true;
    return false;
}

bool target_has(const struct target *t, const char *feature)
{
    return target_lists(t->features, feature, strlen(feature));
}

const char *target_common(struct arena *a, const char *features, const char *others)
{
    struct strbuf out;
    strbuf_init(&out, a);
    const char *f;
    size_t n;
    while (target_next_feature(&features, &f, &n))
        if (target_lists(others, f + 1, n - 1))
            strbuf_printf(&out, "%s%.*s", out.len ? "," : "", (int)n, f);
    return strbuf_text(&out);
}
