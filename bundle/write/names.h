/*
 * names.h: C identifiers for tensors, whose names in models are arbitrary text.
 *
 * Every character outside [A-Za-z0-9_] becomes '_' and a leading digit gets the prefix 'A', so that
 * gpu_0/data is gpu_0_data as in a Glow bundle.  A keyword of C or C++, or a name that NAME.h needs
 * itself, gets '_' behind it; names of more than NAMES_MAX characters are cut and end in a hash of
 * the whole; of names that become equal the second gets "_1", the third "_2".
 */
#ifndef SHEAF_BUNDLE_WRITE_NAMES_H
#define SHEAF_BUNDLE_WRITE_NAMES_H

#include "bundle/emit/emit.h"

enum { NAMES_MAX = 120 };

/* One name by itself; never empty. */
const char *names_legalise(struct arena *a, const char *name);

/* The same for a function: main, and a routine that the object may bring along under that name, get
   '_' behind them too. */
const char *names_entry(struct arena *a, const char *name);

/* Whether one bundle can have two entries of these names, which are legal. */
bool names_fit(const char *one, const char *other, struct error *err);

/* In capitals, as macros begin. */
const char *names_upper(struct arena *a, const char *name);

/* What one NAME.h defines: entries of a bundle may have tensors whose macros would be the same, as
   entry foo has with BAR_x, and foo_bar with x. */
struct names_header;
struct names_of_entry {
    struct names_header *header;
    const char *entry;
    const char *macros; /* with what its macros begin */
};
struct names_header *names_header_create(struct arena *a);
void names_header_reserve(struct names_header *h, const char *name);
/* The names of the entry itself: those of all entries come before the first tensor. */
void names_header_add(struct names_header *h, const struct names_of_entry *of);

/* The symbols of an entry in the order of its table: inputs, outputs, state, then the constants of
   all its parts, one row for what several of them share; behind the table's end inputs and outputs
   that lie among the activations. */
const struct emit_symbol *names_symbols(struct arena *a, const struct emit_part *parts,
                                        size_t n_parts, size_t *out_n_symbols);
/* The same; where the header has what it would define of a tensor, that gets "_1" too.  `of` NULL:
   there is no header. */
const struct emit_symbol *names_symbols_in(struct arena *a, const struct names_of_entry *of,
                                           const struct emit_part *parts, size_t n_parts,
                                           size_t *out_n_symbols);

#endif
