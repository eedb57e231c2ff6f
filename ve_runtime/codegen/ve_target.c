#include "ve_runtime/codegen/ve_target.h"

#include "bundle/write/ve_shared.h"
#include "ve_runtime/codegen/vel.h"

enum {
    VECTOR_BYTES = VEL_LANES * 4, /* of f32, one in each element */
    /* Of 64.  The back end cannot put one aside, so some are left for what it needs in between. */
    VECTOR_REGS = 56,
    GENERAL_REGS = 48, /* of 64, without those that the ABI reserves */
    STACK_ALIGN = 16,
    LAUNCH_WORK = 1 << 14 /* operations, from which on a region is worth a meeting of the cores */
};

/* A shared object, which is what can be loaded, of a relocatable one. */
static bool assemble(const struct target *t, struct arena *a, unsigned arch,
                     const struct bytes *object, struct bytes *out_library, struct error *err)
{
    (void)t;
    (void)arch;
    return ve_shared_make(a, "network.so", *object, out_library, err);
}

const struct target *ve_target_create(struct arena *a, const struct target *host)
{
    struct target *t = arena_new(a, struct target);
    t->name = "ve";
    t->triple = "ve-unknown-linux-gnu";
    t->cpu = t->plain_cpu = t->tune_cpu = "generic";
    t->features = "+vpu";
    t->dropped = "";
    t->abi = "";
    t->is_position_independent = true;
    t->stack_align = STACK_ALIGN;
    t->vector_bytes = VECTOR_BYTES;
    t->n_vector_regs = VECTOR_REGS;
    t->n_general_regs = GENERAL_REGS;
    t->has_float_registers = true;
    t->has_gather = t->has_any_lanes = true;
    t->host = host;
    t->device = SHEAF_DEVICE_VE;
    static const unsigned arch = 1;
    t->archs = &arch;
    t->n_archs = 1;
    t->runs_networks = true;
    t->launch_work = LAUNCH_WORK;
    t->assemble = assemble;
    t->lower = vel_run;
    t->schedule = ve_schedule;
    return t;
}
