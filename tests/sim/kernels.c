#define _GNU_SOURCE /* program_invocation_short_name */
#include "tests/sim/kernels.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/device/cases.h"

static struct error error;
static uint64_t n_insns;

static char *whole_text(const char *module, const char *body)
{
    static const char form[] = ".version 7.0\n.target sm_80\n.address_size 64\n%s\n"
                               ".visible .entry k(.param .u64 in, .param .u64 out, .param .u32 n)\n"
                               "{\n"
                               ".reg .pred %%p<10>; .reg .b16 %%h<20>; .reg .b32 %%r<40>;\n"
                               ".reg .f32 %%f<40>; .reg .b64 %%d<40>; .reg .f64 %%e<10>;\n"
                               "ld.param.u64 %%d20, [in]; cvta.to.global.u64 %%d20, %%d20;\n"
                               "ld.param.u64 %%d21, [out]; cvta.to.global.u64 %%d21, %%d21;\n"
                               "mov.u32 %%r20, %%tid.x; mov.u32 %%r21, %%ctaid.x;\n"
                               "%s\nret;\n}\n";
    size_t n = sizeof form + strlen(body) + (module ? strlen(module) : 0);
    char *text = malloc(n);
    if (text)
        snprintf(text, n, form, module ? module : "", body);
    return text;
}

/* In memory of its own, which goes with it. */
static struct ptx_module *load(const char *module, const char *body, struct ptx_memory **out_memory)
{
    error_init(&error);
    *out_memory = ptx_memory_create(UINT64_C(1) << 32);
    char *text = whole_text(module, body);
    struct ptx_module *m = *out_memory && text ? ptx_load(*out_memory, text, &error) : NULL;
    free(text);
    return m;
}

const char *kernel_loads(const char *module, const char *body)
{
    struct ptx_memory *memory;
    ptx_unload(load(module, body, &memory));
    ptx_memory_destroy(memory);
    return error.status ? error.text : NULL;
}

static void run(const struct kernel_case *c, struct ptx_memory *memory, struct ptx_module *m)
{
    struct {
        uint64_t in, out;
        uint32_t n;
    } params = {.n = c->n};
    params.in = ptx_memory_alloc(memory, c->in_bytes + c->in_more, PTX_OWNER_CLIENT);
    params.out = ptx_memory_alloc(memory, c->out_bytes, PTX_OWNER_CLIENT);
    ptx_memory_write(memory, params.in, c->in, c->in_bytes);
    if (c->out_is_written)
        ptx_memory_fill(memory, params.out, 0, 1, c->out_bytes);
    struct ptx_launch l = {.kernel = ptx_find(m, "k"), .params = &params};
    for (int i = 0; i < 3; i++)
        l.grid[i] = l.block[i] = 1;
    l.grid[0] = c->grid ? c->grid : 1;
    l.block[0] = c->block ? c->block : 1;
    l.dynamic_shared = c->dynamic_shared;
    l.cooperative = c->cooperative;
    if (ptx_run(&l, &n_insns, &error) == PTX_OK && c->out)
        ptx_memory_read(memory, c->out, params.out, c->out_bytes);
}

/* For a device. */
static void write_case(const struct kernel_case *c)
{
    static unsigned n;
    const char *folder = getenv("SHEAF_CASES");
    char path[4096];
    if (!folder || !c->out)
        return;
    snprintf(path, sizeof path, "%s/%s.cases", folder, program_invocation_short_name);
    FILE *file = fopen(path, "ab");
    char *text = whole_text(c->module, c->body);
    case_write(file, text, strlen(text), "kernel %u %u %u %d %u %zu %g %u %s",
               c->grid ? c->grid : 1, c->block ? c->block : 1, c->dynamic_shared, c->cooperative,
               c->n, c->in_bytes + c->in_more, c->difference, ++n, c->name ? c->name : "");
    case_write(file, c->in, c->in_bytes, "in");
    case_write(file, c->out, c->out_bytes, "out");
    fclose(file);
    free(text);
}

const char *kernel_run(const struct kernel_case *c)
{
    struct ptx_memory *memory;
    struct ptx_module *m = load(c->module, c->body, &memory);
    if (m)
        run(c, memory, m);
    ptx_unload(m);
    ptx_memory_destroy(memory);
    if (!error.status)
        write_case(c);
    return error.status ? error.text : NULL;
}

unsigned long long kernel_n_insns(void)
{
    return n_insns;
}
