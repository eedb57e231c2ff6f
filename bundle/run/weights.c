/* Weights: from a file, which is mapped, or from memory; of the right size and digest. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL /* so that applications need no further library */
#include <xxhash.h>

#include "bundle/run/run.h"

static uint64_t read_little(const uint8_t *bytes)
{
    uint64_t v = 0;
    for (int i = 8; i > 0; i--)
        v = v << 8 | bytes[i - 1];
    return v;
}

static enum sheaf_status check_weights(const struct sheaf_linked *l, const char *from,
                                       const void *data, size_t size, struct sheaf_error *err)
{
    size_t want = l->config->constantWeightVarsMemSize;
    const uint8_t *expected = l->info->weights_digest;
    if (RT_INFO_HAS(l->info, layout_id) && l->info->layout_id) {
        const struct sheaf_weights_trailer *t;
        if (size != want + sizeof *t)
            return rt_fail(err, SHEAF_ERROR_FORMAT,
                           "%s: the replaceable weights of '%s' have %lu bytes, not %lu", from,
                           l->info->name, (unsigned long)(want + sizeof *t), (unsigned long)size);
        size = want;
        t = (const struct sheaf_weights_trailer *)(const void *)((const uint8_t *)data + want);
        if (memcmp(t->magic, SHEAF_WEIGHTS_MAGIC, sizeof t->magic) != 0 ||
            read_little(t->layout_id) != l->info->layout_id)
            return rt_fail(err, SHEAF_ERROR_FORMAT, "%s: the weights have another layout than '%s'",
                           from, l->info->name);
        expected = t->digest;
    }
    if (size != want)
        return rt_fail(err, SHEAF_ERROR_FORMAT, "%s: the weights of '%s' have %lu bytes, not %lu",
                       from, l->info->name, (unsigned long)want, (unsigned long)size);
    XXH128_canonical_t digest;
    XXH128_canonicalFromHash(&digest, XXH3_128bits(data, size));
    if (memcmp(digest.digest, expected, sizeof digest.digest) != 0)
        return rt_fail(err, SHEAF_ERROR_FORMAT,
                       "%s: the content has another digest than the weights of '%s'", from,
                       l->info->name);
    return SHEAF_OK;
}

enum sheaf_status rt_map_file(struct rt_shared *s, const char *path, struct sheaf_error *err)
{
    static const uint8_t nothing[1];
    const char *name = s->linked.info->name;
    s->constants = nothing;
    if (!path) {
        if (s->linked.config->constantWeightVarsMemSize == 0)
            return SHEAF_OK;
        return rt_fail(err, SHEAF_ERROR_ARGUMENT, "%s: the bundle needs its weights", name);
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return rt_fail(err, errno == ENOENT ? SHEAF_ERROR_NOT_FOUND : SHEAF_ERROR_IO,
                       "%s: cannot open the weights of '%s': %s", path, name, strerror(errno));
    struct stat st;
    enum sheaf_status status = SHEAF_OK;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        status =
            rt_fail(err, SHEAF_ERROR_IO, "%s: the weights of '%s' are no regular file", path, name);
    } else if ((uintmax_t)st.st_size > SIZE_MAX) {
        status = rt_fail(err, SHEAF_ERROR_FORMAT, "%s: the file is too large to be mapped", path);
    } else if (st.st_size > 0) {
        s->mapped_size = (size_t)st.st_size;
        s->mapped = SHEAF_MAY_ALLOCATE() ? mmap(NULL, s->mapped_size, PROT_READ, MAP_PRIVATE, fd, 0)
                                         : MAP_FAILED;
        if (s->mapped == MAP_FAILED) {
            s->mapped = NULL;
            status = rt_fail_memory(err, name, "mapped weights", s->mapped_size);
        } else {
            s->constants = s->mapped;
        }
    }
    close(fd);
    if (status != SHEAF_OK)
        return status;
    return check_weights(&s->linked, path, s->constants, s->mapped_size, err);
}

enum sheaf_status rt_take_memory(struct rt_shared *s, const void *weights, size_t size,
                                 struct sheaf_error *err)
{
    const char *name = s->linked.info->name;
    if (!weights && size)
        return rt_fail(err, SHEAF_ERROR_ARGUMENT, "%s: no weights were given", name);
    enum sheaf_status status = check_weights(&s->linked, "memory", weights, size, err);
    if (status != SHEAF_OK)
        return status;
    size_t alignment = s->linked.config->alignment;
    if (weights && (uintptr_t)weights % alignment == 0) {
        s->constants = weights;
        return SHEAF_OK;
    }
    s->owned = rt_allocate(alignment, size);
    if (!s->owned)
        return rt_fail_memory(err, name, "constants", size);
    if (size)
        memcpy(s->owned, weights, size);
    s->constants = s->owned;
    return SHEAF_OK;
}
