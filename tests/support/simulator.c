#define _POSIX_C_SOURCE 200809L /* setenv */
#include "tests/support/simulator.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>

#include "tests/support/support.h"

/* A library that is loaded already is found by its name, wherever it came from. */
static bool open_once(void **library, const char *file)
{
    if (!*library)
        *library =
            dlopen(support_printf("%s/tests/%s", support_build(), file), RTLD_NOW | RTLD_LOCAL);
    return *library != NULL;
}

static bool has_card(void)
{
    return getenv("SHEAF_VE_CARD") != NULL;
}

bool simulator_open(void)
{
    static void *library;
    return open_once(&library, "libcuda.so.1");
}

bool simulator_open_ve(void)
{
    static void *library;
    setenv("VE_OMP_NUM_THREADS", "1", 0);
    setenv("SHEAF_SIM_VE_UNFAIR", "1", 0);
    return has_card() || open_once(&library, "libveo.so.1");
}

const char *simulator_environment(void)
{
    return support_printf("LD_LIBRARY_PATH='%s/tests'", support_build());
}

const char *simulator_environment_ve(void)
{
    return support_printf("VE_OMP_NUM_THREADS=1 SHEAF_SIM_VE_UNFAIR=1 SHEAF_SIM_VE_VERBOSE=1 %s",
                          has_card() ? "" : simulator_environment());
}
