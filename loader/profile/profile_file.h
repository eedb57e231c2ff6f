/*
 * profile_file.h: profiles (ir/quantize/profile.h) as files.  docs/profiles.md states the format.
 *
 * A profile is written in one way only: equal content gives equal bytes.  It is read strictly, so
 * that a file which is cut short, edited wrongly or of another version ends in one sentence with
 * the file, the line and the reason.  Glow's profiles are read too, never written.
 */
#ifndef SHEAF_LOADER_PROFILE_PROFILE_FILE_H
#define SHEAF_LOADER_PROFILE_PROFILE_FILE_H

#include "ir/quantize/profile.h"
#include "ir/strbuf.h"

/* No profile file may have more bytes. */
#define LIMIT_PROFILE_BYTES ((int64_t)1 << 28)

/*
 * Reads the profiles of n files, checks each against `model` (NULL: not) and merges them in this
 * order; the histograms do not depend on it.  `model_name` is for messages.
 */
bool profile_load(struct arena *a, const char *const *paths, size_t n,
                  const struct profile_identity *model, const char *model_name,
                  struct profile **out_profile, struct error *err);

/* One file, ours or Glow's; `path` is for messages only. */
bool profile_parse(struct arena *a, const char *path, const uint8_t *data, size_t size,
                   struct profile **out_profile, struct error *err);

/* Our format.  Fails where a name is no UTF-8 text. */
bool profile_print(struct strbuf *out, const struct profile *p, struct error *err);
bool profile_write(const char *path, const struct profile *p, struct error *err);

#endif
