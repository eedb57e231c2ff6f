/*
 * formats.h: the formats of profile files.  Each reader takes over at the first key of the file and
 * reads to its end.
 */
#ifndef SHEAF_LOADER_PROFILE_FORMATS_H
#define SHEAF_LOADER_PROFILE_FORMATS_H

#include "ir/quantize/profile.h"
#include "loader/profile/yaml_reader.h"

enum { PROFILE_VERSION = 1 };

/* The current event is the start of the first mapping.  Tensors are appended to `p`. */
bool profile_read_sheaf(struct yaml_reader *r, struct profile *p);

/*
 * Glow's format, three documents: version, hash of the graph, tensors with bins of equal width over
 * [Min, Max].  The hash is of Glow's own graph and says nothing here.  The file does not count
 * samples; they are 0.
 */
bool profile_read_glow(struct yaml_reader *r, struct profile *p);

#endif
