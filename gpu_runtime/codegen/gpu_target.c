#include "gpu_runtime/codegen/gpu_target.h"

#include "gpu_runtime/codegen/contract.h"

/* Lanes of threads do the work, so there are vectors only to load and store 16 bytes at once. */
enum { VECTOR_BYTES = 16, REGISTERS = 255 };

/* A region with fewer operations is done in less time than a launch takes (some microseconds), even
   by one block. */
enum { LAUNCH_WORK = 4096 };

/* PTX that the drivers since 2020 translate (CUDA 11.0). */
static const char FEATURES[] = "+ptx70";

/* Parameters of a launch take 4096 bytes at most (CUDA C++ Programming Guide, "Function
   Parameters"). */
enum { MAX_BUFFERS = 4096 / sizeof(uint64_t) };

enum { LEAST_ARCH = 80 };

/* That LLVM 19 knows (NVPTX.td), and GPUs are sold of. */
static const unsigned known_archs[] = {LEAST_ARCH, 86, 87, 89, 90};

static bool check_archs(const unsigned *archs, size_t n, struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        size_t k = 0, n_known = sizeof known_archs / sizeof *known_archs;
        while (k < n_known && known_archs[k] != archs[i])
            k++;
        if (archs[i] < LEAST_ARCH)
            return error_set(
                err, SHEAF_ERROR_UNSUPPORTED,
                "option -cc: compute capability %u is below %d, the least that code is "
                "made for",
                archs[i], LEAST_ARCH);
        if (k == n_known)
            return error_set(
                err, SHEAF_ERROR_UNSUPPORTED,
                "option -cc: compute capability %u is none of 80, 86, 87, 89 and 90, and "
                "code for these runs on later GPUs too",
                archs[i]);
        for (size_t j = 0; j < i; j++)
            if (archs[j] == archs[i])
                return error_set(err, SHEAF_ERROR_ARGUMENT, "option -cc names %u twice", archs[i]);
    }
    return true;
}

bool gpu_target_create(struct arena *a, const struct gpu_target_options *opt,
                       const struct target **out_target, struct error *err)
{
    static const unsigned least = LEAST_ARCH;
    struct target *t = arena_new(a, struct target);
    t->name = "nvidia";
    t->triple = "nvptx64-nvidia-cuda";
    t->archs = opt->n_archs ? opt->archs : &least;
    t->n_archs = opt->n_archs ? opt->n_archs : 1;
    if (!check_archs(t->archs, t->n_archs, err))
        return false;
    t->cpu = t->plain_cpu = t->tune_cpu = arena_printf(a, "sm_%u", t->archs[0]);
    t->features = FEATURES;
    t->dropped = "";
    t->abi = "";
    t->stack_align = VECTOR_BYTES;
    t->vector_bytes = VECTOR_BYTES;
    t->n_vector_regs = t->n_general_regs = REGISTERS;
    t->has_fma = t->has_float_registers = t->has_round = t->has_f16 = true;
    t->f32_math = opt->f32_math;
    t->host = opt->host;
    t->device = SHEAF_DEVICE_NVIDIA;
    t->threads = &gpu_threads;
    t->max_buffers = MAX_BUFFERS;
    t->launch_work = LAUNCH_WORK;
    t->prefer_layouts = target_channels_last;
    t->assembler = opt->assembler;
    t->assemble = gpu_assemble;
    t->prepare_contract = gpu_prepare_contract;
    t->schedule = gpu_schedule;
    t->emit_contract = gpu_emit_contract;
    *out_target = t;
    return true;
}
