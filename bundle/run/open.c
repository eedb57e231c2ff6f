/* Opening and closing. */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bundle/run/run.h"

static void release(struct rt_shared *s)
{
    if (__atomic_sub_fetch(&s->n_contexts, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    if (s->device)
        rt_device.close(s);
    if (s->mapped)
        munmap(s->mapped, s->mapped_size);
    free(s->owned);
    /* Last: the description that was read above lies in the library. */
    if (s->library)
        dlclose(s->library);
    free(s);
}

static struct rt_shared *create_shared(const struct sheaf_linked *linked, struct sheaf_error *err)
{
    struct rt_shared *s = rt_allocate(sizeof(void *), sizeof *s);
    if (!s) {
        rt_fail_memory(err, linked->info->name, "bundle", sizeof *s);
        return NULL;
    }
    memset(s, 0, sizeof *s);
    s->n_contexts = 1;
    s->linked = *linked;
    return s;
}

/* A context that takes over one count of `s`, also when it fails. */
static enum sheaf_status create_context(struct rt_shared *s, sheaf_bundle **out_bundle,
                                        struct sheaf_error *err)
{
    sheaf_bundle *b = rt_allocate(sizeof(void *), sizeof *b);
    if (!b) {
        rt_fail_memory(err, s->linked.info->name, "bundle", sizeof *b);
        release(s);
        return SHEAF_ERROR_MEMORY;
    }
    memset(b, 0, sizeof *b);
    b->shared = s;
    enum sheaf_status status = rt_device.attach(b, err);
    if (status != SHEAF_OK) {
        sheaf_close(b);
        return status;
    }
    *out_bundle = b;
    rt_clear(err);
    return SHEAF_OK;
}

static enum sheaf_status start(const struct sheaf_linked *linked, struct rt_shared **out,
                               struct sheaf_error *err)
{
    enum sheaf_status status = rt_check_linked(linked, err);
    if (status != SHEAF_OK)
        return status;
    *out = create_shared(linked, err);
    return *out ? SHEAF_OK : SHEAF_ERROR_MEMORY;
}

/* `status` says whether it got its weights. */
static enum sheaf_status finish(struct rt_shared *s, enum sheaf_status status,
                                sheaf_bundle **out_bundle, struct sheaf_error *err)
{
    if (status == SHEAF_OK)
        status = rt_device.open(s, err);
    if (status == SHEAF_OK)
        return create_context(s, out_bundle, err);
    release(s);
    return status;
}

enum sheaf_status sheaf_open_linked(const struct sheaf_linked *linked, const char *weights_path,
                                    sheaf_bundle **out_bundle, struct sheaf_error *err)
{
    struct rt_shared *s = NULL;
    enum sheaf_status status = start(linked, &s, err);
    return status ? status : finish(s, rt_map_file(s, weights_path, err), out_bundle, err);
}

enum sheaf_status sheaf_open_memory(const struct sheaf_linked *linked, const void *weights,
                                    size_t weights_size, sheaf_bundle **out_bundle,
                                    struct sheaf_error *err)
{
    struct rt_shared *s = NULL;
    enum sheaf_status status = start(linked, &s, err);
    return status ? status
                  : finish(s, rt_take_memory(s, weights, weights_size, err), out_bundle, err);
}

static void *find_symbol(void *library, const char *name, const char *suffix)
{
    char symbol[300];
    if ((size_t)snprintf(symbol, sizeof symbol, "%s%s", name, suffix) >= sizeof symbol)
        return NULL;
    return dlsym(library, symbol);
}

enum sheaf_status sheaf_open(const char *library_path, const char *name, const char *weights_path,
                             sheaf_bundle **out_bundle, struct sheaf_error *err)
{
    if (!library_path || !name)
        return rt_fail(err, SHEAF_ERROR_ARGUMENT, "opening a bundle needs a library and a name");
    void *library = dlopen(library_path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return rt_fail(err, SHEAF_ERROR_IO, "cannot load the bundle '%s': %s", name, dlerror());
    struct sheaf_linked linked = {.config = find_symbol(library, name, "_config"),
                                  .info = find_symbol(library, name, "_info")};
    void *entry = find_symbol(library, name, "");
    /* POSIX promises that functions fit into data pointers; C has no cast for it. */
    memcpy(&linked.entry, &entry, sizeof entry);
    sheaf_bundle *bundle = NULL;
    enum sheaf_status status =
        linked.config && linked.info && linked.entry
            ? sheaf_open_linked(&linked, weights_path, &bundle, err)
            : rt_fail(err, SHEAF_ERROR_NOT_FOUND, "%s: there is no bundle '%s' in this library",
                      library_path, name);
    if (status != SHEAF_OK) {
        dlclose(library);
        return status;
    }
    bundle->shared->library = library;
    *out_bundle = bundle;
    return SHEAF_OK;
}

enum sheaf_status sheaf_attach(const sheaf_bundle *bundle, sheaf_bundle **out_bundle,
                               struct sheaf_error *err)
{
    if (!bundle)
        return rt_fail(err, SHEAF_ERROR_ARGUMENT, "there is no bundle to attach to");
    __atomic_add_fetch(&bundle->shared->n_contexts, 1, __ATOMIC_RELAXED);
    return create_context(bundle->shared, out_bundle, err);
}

void sheaf_close(sheaf_bundle *bundle)
{
    if (!bundle)
        return;
    rt_device.detach(bundle);
    release(bundle->shared);
    free(bundle);
}
