#include "ir/target.h"

#include <string.h>

#include "ir/strbuf.h"

bool target_lists(const char *features, const char *name, size_t length)
{
    for (const char *p = features; (p = strchr(p, '+')) != NULL; p++)
        if (strncmp(p + 1, name, length) == 0 && (p[1 + length] == ',' || p[1 + length] == '\0'))
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
    for (const char *p = features; *p;) {
        size_t n = strcspn(p, ",");
        if (target_lists(others, p + 1, n - 1))
            strbuf_printf(&out, "%s%.*s", out.len ? "," : "", (int)n, p);
        p += n + (p[n] == ',');
    }
    return strbuf_text(&out);
}
