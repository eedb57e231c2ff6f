#include "ir/target.h"

#include <string.h>

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
