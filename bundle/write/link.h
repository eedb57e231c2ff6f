/*
 * link.h: shared libraries, by a linker that is installed: LLVM's, or GNU's for the machine.
 */
#ifndef SHEAF_BUNDLE_WRITE_LINK_H
#define SHEAF_BUNDLE_WRITE_LINK_H

#include "bundle/write/archive.h"

struct link_request {
    const char *soname;
    const struct archive_member *objects; /* names differ */
    size_t n_objects;
    const struct target *target;
    const char *emulation;     /* of ld -m; NULL: that of the architecture */
    const char *output_format; /* of ld --oformat; NULL: the linker's own */
    bool is_native;            /* the target is this machine's architecture */
    bool opens_libraries;      /* at run time: dlopen and its kin are needed */
    bool may_need_more;        /* some objects need others, which the application has */
};

/*
 * The C library is recorded as needed though none of the target is at hand: a stub stands for it.
 * Fails where there is no linker, naming what to install, and with the linker's own first line.
 */
bool link_shared(struct arena *a, const struct link_request *req, struct bytes *out_library,
                 struct error *err);

#endif
