/* The names of a library: those that it defines, and those that it needs. */
#include <string.h>

#include "bundle/emit/emit_library.h"

/* All FUNC_.. that the files of emit_library.h may make.  What is the bundle's own begins with
   FUNC_network, which is its entry. */
static const char *const SUFFIXES[] = {
    "begin",     "beside", "compute", "constants", "context_init", "context_size", "end",
    "init",      "load",   "map",     "network",   "prepare",      "ready",        "run",
    "run_sized", "seed",   "state",   "status",    "weights",      "weights_file", "work",
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

/* Of the C library; the last ones are what it has on ARM for memcpy and memset. */
static const char *const NEEDS[] = {
    "abort",           "close",
    "dladdr",          "free",
    "getauxval",       "lseek",
    "malloc",          "memcpy",
    "memset",          "mmap",
    "munmap",          "open",
    "sched_yield",     "strrchr",
    "__aeabi_memcpy",  "__aeabi_memset",
    "__aeabi_memclr",  "__aeabi_memclr4",
    "__aeabi_memclr8",
};

const char *emit_library_needs(size_t i)
{
    return i < sizeof NEEDS / sizeof *NEEDS ? NEEDS[i] : NULL;
}

bool emit_library_is_needed(const char *name)
{
    size_t i = 0;
    while (emit_library_needs(i) && strcmp(emit_library_needs(i), name) != 0)
        i++;
    return emit_library_needs(i) != NULL;
}
