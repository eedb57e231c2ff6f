#include "loader/extern_library.h"

#include <dlfcn.h>
#include <string.h>

struct search {
    struct arena *a;
    struct kextern_functions *found;
};

/* Their names, each once. */
static void add_call(struct step *s, void *arg)
{
    struct search *search = arg;
    struct kextern_functions *f = search->found;
    const struct kextern *call = s->kind == STEP_CALL ? kernel_only_extern(s->kernel) : NULL;
    const char *symbol = call ? kextern_symbol(search->a, call->op) : NULL;
    for (size_t i = 0; symbol && i < f->n; i++)
        if (strcmp(f->function[i].symbol, symbol) == 0)
            return;
    if (symbol)
        ARENA_PUSH(search->a, f->function, f->n, f->cap) = (struct kextern_function){symbol, NULL};
}

static bool find_functions(void *library, const char *path, struct kextern_functions *f,
                           struct error *err)
{
    for (size_t i = 0; i < f->n; i++) {
        void *at = dlsym(library, f->function[i].symbol);
        if (!at)
            return error_set(err, SHEAF_ERROR_NOT_FOUND, "%s: the library has no function %s", path,
                             f->function[i].symbol);
        memcpy(&f->function[i].fn, &at, sizeof at);
    }
    return true;
}

bool extern_library_open(struct arena *a, const struct program *p, const char *path,
                         struct kextern_functions *out_functions, void **out_library,
                         struct error *err)
{
    struct kextern_functions found = {0};
    struct search search = {a, &found};
    program_each_step(&p->body, add_call, &search);
    if (!found.n)
        return true;
    if (!path)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "to run the network here its function %s is needed: option "
                         "-extern-library names a shared library that has it",
                         found.function[0].symbol);
    /* Without a slash it would be looked for among the system's. */
    void *library = dlopen(strchr(path, '/') ? path : arena_printf(a, "./%s", path), RTLD_NOW);
    if (!library)
        return error_set(err, SHEAF_ERROR_IO, "option -extern-library: %s", dlerror());
    if (!find_functions(library, path, &found, err)) {
        dlclose(library);
        return false;
    }
    *out_functions = found;
    *out_library = library;
    return true;
}

void extern_library_close(void *library)
{
    if (library)
        dlclose(library);
}
