#include "ve_runtime/codegen/ve_target.h"

#include "bundle/tile/tile.h"
#include "bundle/write/ve_shared.h"
#include "ve_runtime/codegen/vel.h"

enum {
    VECTOR_BYTES = VEL_LANES * 4, /* of f32, one in each element */
    /* Of 64.  vel_spill.c keeps to it; the others are for what LLVM needs in between. */
    VECTOR_REGS = 56,
    GENERAL_REGS = 48, /* of 64, without those that the ABI reserves */
    STACK_ALIGN = 16,
    CORES = 8,            /* of each card */
    LAUNCH_WORK = 1 << 14 /* operations, from which on a region is worth a meeting of the cores */
};

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
    t->has_float_registers = t->has_fma = true;
    t->has_gather = t->has_any_lanes = true;
    t->host = host;
    t->device = SHEAF_DEVICE_VE;
    static const unsigned arch = 1;
    t->archs = &arch;
    t->n_archs = 1;
    t->runs_networks = true;
    t->cores = CORES;
    t->launch_work = LAUNCH_WORK;
    t->link = ve_shared_make;
    t->lower = vel_run;
    t->finish = vel_spill;
    t->prefer_layouts = target_channels_last;
    t->prepare_contract = ve_prepare_contract;
    t->schedule = ve_schedule;
    t->emit_contract = tile_emit_contract;
    return t;
}
