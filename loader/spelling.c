#include "loader/spelling.h"

#include <ctype.h>
#include <string.h>

enum { WORD_MAX_CHARS = 127 };

/*
 * Distance of two words: insertions, deletions, changes and swaps of neighbours, upper and lower
 * case alike (optimal string alignment, row by row).
 */
static int edit_distance(const char *a, const char *b)
{
    int row[3][WORD_MAX_CHARS + 1];
    size_t na = strlen(a), nb = strlen(b);
    if (nb > WORD_MAX_CHARS)
        nb = WORD_MAX_CHARS;
    for (size_t j = 0; j <= nb; j++)
        row[0][j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        int *now = row[i % 3], *before = row[(i + 2) % 3], *before2 = row[(i + 1) % 3];
        now[0] = (int)i;
        for (size_t j = 1; j <= nb; j++) {
            int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[j - 1]);
            int best = before[j - 1] + (x != y);
            if (before[j] + 1 < best)
                best = before[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
                y == tolower((unsigned char)a[i - 2]) && before2[j - 2] + 1 < best)
                best = before2[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[na % 3][nb];
}

struct spelling spelling_of(const char *typed)
{
    return (struct spelling){.typed = typed, .least = (int)strlen(typed) / 2 + 1};
}

void spelling_try(struct spelling *s, const char *word)
{
    int distance = word ? edit_distance(s->typed, word) : s->least;
    if (distance < s->least) {
        s->least = distance;
        s->nearest = word;
    }
}
