#include "tests/support/simulator.h"

#include <dlfcn.h>
#include <stddef.h>

#include "tests/support/support.h"

/* A library that is loaded already is found by its name, wherever it came from. */
bool simulator_open(void)
{
    static void *library;
    if (!library)
        library =
            dlopen(support_printf("%s/tests/libcuda.so.1", support_build()), RTLD_NOW | RTLD_LOCAL);
    return library != NULL;
}
