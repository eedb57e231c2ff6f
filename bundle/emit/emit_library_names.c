/* The names of a library: those that it defines, and those that it needs. */
#include <string.h>

#include "bundle/device_library.h"
#include "bundle/emit/emit_library.h"

/* All FUNC_.. that the files of emit_library.h may make.  What is the bundle's own begins with
   FUNC_network, which is its entry. */
static const char *const SUFFIXES[] = {
    "begin",        "beside",       "compute", "constants",    "context_done",
    "context_init", "context_size", "end",     "init",         "load",
    "map",          "message",      "network", "prepare",      "process",
    "queue",        "ready",        "run",     "run_sized",    "seed",
    "state",        "status",       "weights", "weights_file", "work",
};

bool emit_library_has_name(const char *func, const char *name)
{
    size_t n = strlen(func);
    if (strncmp(func, name, n) != 0)
        return false;
    bool has = name[n] == '\0' || strncmp(name + n, "_network_", strlen("_network_")) == 0;
    for (size_t i = 0; i < sizeof SUFFIXES / sizeof *SUFFIXES; i++)
        has |= name[n] == '_' && strcmp(name + n + 1, SUFFIXES[i]) == 0;
    return has;
}

/* Those from __aeabi_memcpy on are what the C library has on ARM for memcpy and memset. */
static const struct {
    const char *name;
    enum emit_library_need kind;
} NEEDS[] = {
    {"abort", EMIT_NEED_C},
    {"close", EMIT_NEED_C},
    {"dladdr", EMIT_NEED_C},
    {"free", EMIT_NEED_C},
    {"getauxval", EMIT_NEED_C},
    {"lseek", EMIT_NEED_C},
    {"malloc", EMIT_NEED_C},
    {"memcpy", EMIT_NEED_C},
    {"memset", EMIT_NEED_C},
    {"mmap", EMIT_NEED_C},
    {"munmap", EMIT_NEED_C},
    {"open", EMIT_NEED_C},
    {"sched_yield", EMIT_NEED_C},
    {"strrchr", EMIT_NEED_C},
    {"__aeabi_memcpy", EMIT_NEED_C},
    {"__aeabi_memset", EMIT_NEED_C},
    {"__aeabi_memclr", EMIT_NEED_C},
    {"__aeabi_memclr4", EMIT_NEED_C},
    {"__aeabi_memclr8", EMIT_NEED_C},
    {"__errno_location", EMIT_NEED_DEVICE},
    {"fcntl", EMIT_NEED_DEVICE},
    {"getenv", EMIT_NEED_DEVICE},
    {"memcmp", EMIT_NEED_DEVICE},
    {"mkstemp", EMIT_NEED_DEVICE},
    {"pthread_mutex_destroy", EMIT_NEED_DEVICE},
    {"pthread_mutex_init", EMIT_NEED_DEVICE},
    {"pthread_mutex_lock", EMIT_NEED_DEVICE},
    {"pthread_mutex_unlock", EMIT_NEED_DEVICE},
    {"strerror", EMIT_NEED_DEVICE},
    {"strtol", EMIT_NEED_DEVICE},
    {"unlink", EMIT_NEED_DEVICE},
    {"write", EMIT_NEED_DEVICE},
    {"memmove", EMIT_NEED_DEVICE},
    {"posix_memalign", EMIT_NEED_DEVICE},
    {"snprintf", EMIT_NEED_DEVICE},
    {"strchr", EMIT_NEED_DEVICE},
    {"strcmp", EMIT_NEED_DEVICE},
    {"strcspn", EMIT_NEED_DEVICE},
    {"strlen", EMIT_NEED_DEVICE},
    {"strncmp", EMIT_NEED_DEVICE},
    {"syscall", EMIT_NEED_DEVICE},
    {"vsnprintf", EMIT_NEED_DEVICE},
    {"dlclose", EMIT_NEED_DL},
    {"dlerror", EMIT_NEED_DL},
    {"dlopen", EMIT_NEED_DL},
    {"dlsym", EMIT_NEED_DL},
};
enum { N_NEEDS = sizeof NEEDS / sizeof *NEEDS };

bool emit_library_is_on_device(enum sheaf_device device)
{
    return device == SHEAF_DEVICE_NVIDIA;
}

const char *emit_library_runtime(enum sheaf_device device)
{
    return device == SHEAF_DEVICE_VE ? VE_LIBRARY_PREFIX : GPU_LIBRARY_PREFIX;
}

const char *emit_library_hook_names(enum sheaf_device device)
{
    return emit_library_is_on_device(device) ? "sheaf_gpu_ext_" : "sheaf_ext_";
}

const char *emit_library_needs(enum emit_library_need kind, size_t i)
{
    for (size_t k = 0; k < N_NEEDS; k++)
        if (NEEDS[k].kind == kind && i-- == 0)
            return NEEDS[k].name;
    return NULL;
}

bool emit_library_is_needed_by_device(const char *name)
{
    size_t i = 0;
    while (i < N_NEEDS && strcmp(NEEDS[i].name, name) != 0)
        i++;
    return i < N_NEEDS;
}

bool emit_library_is_needed(const char *name)
{
    size_t i = 0;
    while (i < N_NEEDS && strcmp(NEEDS[i].name, name) != 0)
        i++;
    return i < N_NEEDS && NEEDS[i].kind == EMIT_NEED_C;
}
