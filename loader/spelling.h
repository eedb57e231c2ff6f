/*
 * spelling.h: what somebody may have meant who typed a word that does not exist.
 */
#ifndef SHEAF_LOADER_SPELLING_H
#define SHEAF_LOADER_SPELLING_H

#include <stddef.h>

struct spelling {
    const char *typed;
    const char *nearest; /* NULL: nothing is near, at least half of what was typed is wrong */
    int least;           /* its distance */
};

struct spelling spelling_of(const char *typed);
/* Takes the word (or NULL) into account; among equals the first stays. */
void spelling_try(struct spelling *s, const char *word);

#endif
