#include "tests/support/simulator.h"

#include <dlfcn.h>
#include <stddef.h>

#include "tests/support/support.h"

/* A library that is loaded already is found by its name, wherever it came from. */
static bool open_once(void **library, const char *file)
{
    if (!*library)
        *library =
            dlopen(support_printf("%s/tests/%s", support_build(), file), RTLD_NOW | RTLD_LOCAL);
    return *library != NULL;
}

bool simulator_open(void)
{
    static void *library;
    return open_once(&library, "libcuda.so.1");
}

bool simulator_open_ve(void)
{
    static void *library;
    return open_once(&library, "libveo.so.1");
}
