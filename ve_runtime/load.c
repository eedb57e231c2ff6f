/* Code on the engine: AVEO loads files only, so there is one for as long as that takes. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ve_runtime/driver.h"

static int write_all(int fd, const uint8_t *bytes, size_t n_bytes)
{
    while (n_bytes > 0) {
        ssize_t n = write(fd, bytes, n_bytes);
        if (n < 0 && errno != EINTR)
            return 0;
        if (n > 0) {
            bytes += n;
            n_bytes -= (size_t)n;
        }
    }
    return 1;
}

static enum sheaf_status fail_file(const struct driver *d, const char *path,
                                   struct sheaf_error *err)
{
    return rt_fail(err, SHEAF_ERROR_IO,
                   "%s: %s: cannot write the Vector Engine's code to a temporary file (environment "
                   "variable TMPDIR): %s",
                   d->bundle, path, strerror(errno));
}

/* Makes the file that `path` has become the name of. */
static enum sheaf_status write_file(const struct driver *d, const uint8_t *bytes, size_t n_bytes,
                                    char *path, struct sheaf_error *err)
{
    int fd = mkstemp(path);
    if (fd < 0)
        return fail_file(d, path, err);
    int failed = fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || !write_all(fd, bytes, n_bytes);
    enum sheaf_status status = failed ? fail_file(d, path, err) : SHEAF_OK;
    if (close(fd) != 0 && status == SHEAF_OK)
        status = fail_file(d, path, err);
    if (status != SHEAF_OK)
        unlink(path);
    return status;
}

enum sheaf_status driver_load(struct driver *d, struct veo_thr_ctxt *context, const uint8_t *bytes,
                              size_t n_bytes, uint64_t *out_library, struct sheaf_error *err)
{
    char path[VEO_SYMNAME_LEN_MAX + 1];
    const char *folder = getenv("TMPDIR");
    if (!folder || !folder[0])
        folder = "/tmp";
    int length = snprintf(path, sizeof path, "%s/sheaf-ve-XXXXXX", folder);
    if (length < 0 || (size_t)length >= sizeof path)
        return rt_fail(err, SHEAF_ERROR_IO,
                       "%s: the path of the folder for temporary files (environment variable "
                       "TMPDIR) has more characters than AVEO takes: %.200s",
                       d->bundle, folder);
    enum sheaf_status status = write_file(d, bytes, n_bytes, path, err);
    if (status != SHEAF_OK)
        return status;
    *out_library = d->veo.veo_load_library(d->process, path);
    unlink(path);
    return *out_library ? SHEAF_OK
                        : driver_fail(d, context, SHEAF_ERROR_DEVICE, "loading the code", err);
}
