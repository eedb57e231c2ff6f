#include "loader/run_audit.h"

#include <elf.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bundle/read/audit.h"
#include "bundle/read/ve_check.h"
#include "bundle/read/ve_elf.h"
#include "bundle/write/file.h"
#include "ir/checked.h"

struct function {
    const char *name;
    uint64_t size;
};

static int larger_first(const void *a, const void *b)
{
    const struct function *x = a, *y = b;
    if (x->size != y->size)
        return x->size < y->size ? 1 : -1;
    return strcmp(x->name, y->name);
}

static void print_functions(struct arena *a, const struct object *o, FILE *out)
{
    struct function *functions = arena_array(a, (size_t)o->n_symbols + 1, sizeof *functions);
    size_t n = 0;
    for (uint32_t i = 1; i < o->n_symbols; i++) {
        struct object_symbol s;
        if (object_symbol(o, i, &s) && s.is_function && !s.is_undefined)
            functions[n++] = (struct function){s.name, s.size};
    }
    qsort(functions, n, sizeof *functions, larger_first);
    fprintf(out, n ? "Functions:\n     bytes  name\n" : "Functions: none\n");
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%10" PRIu64 "  %s\n", functions[i].size, functions[i].name);
}

static void print_undefined(const struct object *o, FILE *out)
{
    uint32_t n;
    object_undefined(o, &n);
    fprintf(out, "Needed from elsewhere: %s", n ? "" : "nothing\n");
    for (uint32_t i = 1; n && i < o->n_symbols; i++) {
        struct object_symbol s;
        if (object_symbol(o, i, &s) && object_is_needed(&s))
            fprintf(out, "%s%s", s.name, --n ? ", " : "\n");
    }
}

static void print_writable(const struct object *o, FILE *out)
{
    const char *first = object_writable(o);
    fprintf(out, "Writable data: %s%s\n", first ? "in section " : "none", first ? first : "");
}

static void print_sizes(const struct object *o, FILE *out)
{
    struct audit_sizes s = audit_sizes(o);
    fprintf(out, "Bytes: %" PRIu64 " code, %" PRIu64 " constants", s.code, s.constants);
    if (s.relocated)
        fprintf(out, " (%" PRIu64 " of them hold addresses)", s.relocated);
    fprintf(out, ", %" PRIu64 " writable\n", s.writable);
}

struct relocations {
    FILE *out;
    bool any;
};

static void print_relocation(const char *name, uint64_t count, void *arg)
{
    struct relocations *r = arg;
    fprintf(r->out, "%s  %s: %" PRIu64 "\n", r->any ? "" : "Relocations:\n", name, count);
    r->any = true;
}

static void print_relocations(const struct object *o, FILE *out)
{
    struct relocations r = {.out = out};
    audit_relocations(o, print_relocation, &r);
    if (!r.any)
        fprintf(out, "Relocations: none\n");
}

static void print_entries(const struct object *o, FILE *out)
{
    struct audit_entry e;
    for (uint32_t i = 0; audit_entry(o, i, &e); i++) {
        fprintf(out,
                "Entry %s: %" PRIu64 " bytes constant, %" PRIu64 " mutable, %" PRIu64
                " activations\n",
                e.name, e.constants, e.mutables, e.activations);
        fprintf(out, "  stack: ");
        if (e.stack_bytes)
            fprintf(out, "at most %" PRIu64 " bytes", e.stack_bytes);
        else
            fprintf(out, "not known");
        fprintf(out, "; products in a run: %" PRIu64 "\n", e.macs);
    }
}

static const char *spell_float_abi(enum audit_float_abi abi)
{
    static const char *const words[] = {[AUDIT_FLOAT_UNSTATED] =
                                            "in a way that the object does not state",
                                        [AUDIT_FLOAT_SOFT] = "in general registers (soft)",
                                        [AUDIT_FLOAT_HARD] = "in floating-point registers (hard)"};
    return words[abi];
}

/* Only for the Vector Engine are shared objects made here; elsewhere a linker answers for them. */
static const char *check_linked(const struct object *o, FILE *out)
{
    if (o->machine != VE_MACHINE || o->type == ET_REL)
        return NULL;
    const char *why = ve_check(o);
    fprintf(out, "Can be opened by a dynamic loader: %s\n", why ? "no" : "yes");
    return why;
}

bool run_audit(struct arena *a, const char *path, FILE *out, struct error *err)
{
    struct object o;
    uint8_t *data;
    size_t size;
    if (!file_read(a, path, LIMIT_FILE_BYTES, &data, &size, err))
        return false;
    const char *why = object_open(data, size, &o);
    if (why)
        return error_set(err, SHEAF_ERROR_FORMAT, "%s is no object that can be audited: %s", path,
                         why);
    fprintf(out, "%s: ELF, %s, %s-endian\n", path, audit_machine(&o),
            o.is_big_endian ? "big" : "little");
    print_undefined(&o, out);
    print_writable(&o, out);
    fprintf(out, "Floats are passed %s\n", spell_float_abi(audit_float_abi(&o)));
    print_sizes(&o, out);
    print_entries(&o, out);
    print_relocations(&o, out);
    print_functions(a, &o, out);
    why = check_linked(&o, out);
    if (why)
        return error_set(err, SHEAF_ERROR_FORMAT, "%s cannot be opened by a dynamic loader: %s",
                         path, why);
    uint32_t n_undefined;
    const char *undefined = object_undefined(&o, &n_undefined);
    if (undefined)
        return error_set(err, SHEAF_ERROR_FORMAT,
                         "%s needs %" PRIu32 " symbol%s from elsewhere, the first is '%s'", path,
                         n_undefined, n_undefined == 1 ? "" : "s", undefined);
    if (object_writable(&o))
        return error_set(err, SHEAF_ERROR_FORMAT, "%s has writable data in section '%s'", path,
                         object_writable(&o));
    return true;
}
