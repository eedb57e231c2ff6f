#include "tests/support/assemble.h"

#include "gpu_runtime/codegen/gpu_target.h"
#include "tests/support/support.h"

enum { LEAST_ARCH = 80 };

const char *assemble_program(void)
{
    static struct arena arena; /* for the program's life */
    static const char *program;
    static bool is_known;
    struct error err;
    error_init(&err);
    if (!is_known) {
        arena_init(&arena);
        gpu_find_assembler(&arena, NULL, &program, &err);
        is_known = true;
    }
    return program;
}

static bool assemble(struct arena *a, unsigned arch, const struct bytes *text, struct error *err)
{
    const struct target t = {.assembler = assemble_program()};
    struct bytes code;
    return gpu_assemble(&t, a, arch, text, &code, err);
}

static unsigned newest_arch(struct arena *a)
{
    static const unsigned archs[] = {120, 100, 90, LEAST_ARCH};
    static const char none[] = ".version 7.0\n.target sm_80\n.address_size 64\n";
    static unsigned newest;
    struct bytes text = {(const uint8_t *)none, sizeof none - 1};
    for (size_t i = 0; !newest; i++) {
        struct error err;
        error_init(&err);
        if (archs[i] == LEAST_ARCH || assemble(a, archs[i], &text, &err))
            newest = archs[i];
    }
    return newest;
}

bool assemble_takes(struct compiled *c, struct error *err)
{
    static size_t turn;
    if (c->target->device != SHEAF_DEVICE_NVIDIA || !assemble_program() ||
        turn++ % (support_full() ? 1 : 8))
        return true;
    unsigned newest = newest_arch(&c->arena);
    return assemble(&c->arena, LEAST_ARCH, &c->code.assembly, err) &&
           (newest == LEAST_ARCH || assemble(&c->arena, newest, &c->code.assembly, err));
}
