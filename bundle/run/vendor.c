/* A vendor's library, opened at run time. */
#include <dlfcn.h>
#include <string.h>

#include "bundle/run/run.h"

static enum sheaf_status find_functions(const struct rt_vendor *v, void *library, void *table,
                                        struct sheaf_error *err)
{
    for (size_t i = 0; i < v->n_symbols; i++) {
        void *function = dlsym(library, v->symbols[i]);
        if (!function)
            return rt_fail(err, SHEAF_ERROR_VERSION,
                           "the %s is too old: its %s has no %s (%s or newer is needed)", v->what,
                           v->file, v->symbols[i], v->version);
        memcpy((unsigned char *)table + i * sizeof function, &function, sizeof function);
    }
    return SHEAF_OK;
}

enum sheaf_status rt_open_vendor(const struct rt_vendor *v, void **out_library, void *table,
                                 struct sheaf_error *err)
{
    void *library = dlopen(v->file, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return rt_fail(err, SHEAF_ERROR_DEVICE,
                       "there is no %s on this machine: its library cannot be loaded (%s)", v->what,
                       dlerror());
    enum sheaf_status status = find_functions(v, library, table, err);
    if (status == SHEAF_OK)
        *out_library = library;
    else
        dlclose(library);
    return status;
}
