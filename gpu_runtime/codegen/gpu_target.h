/*
 * gpu_target.h: NVIDIA's GPUs as compilation targets.
 */
#ifndef SHEAF_GPU_TARGET_H
#define SHEAF_GPU_TARGET_H

#include "ir/target.h"

struct bytes;

struct gpu_target_options {
    const unsigned *archs; /* compute capabilities, 80 for 8.0; none: 80 */
    size_t n_archs;
    enum target_f32_math f32_math;
    const char *assembler;     /* a file; NULL: the code is left to the driver */
    const struct target *host; /* of the object that carries the code */
};

bool gpu_target_create(struct arena *a, const struct gpu_target_options *opt,
                       const struct target **out_target, struct error *err);

/* NVIDIA's assembler ptxas: the file named, or where there is none that of $CUDA_HOME or $PATH,
   NULL where it is not installed. */
bool gpu_find_assembler(struct arena *a, const char *named, const char **out_file,
                        struct error *err);

/* The parts, one file each. */
extern const struct target_threads gpu_threads;
bool gpu_assemble(const struct target *t, struct arena *a, unsigned arch, const struct bytes *text,
                  struct bytes *out_code, struct error *err);
/* Local buffers that a group of `group` threads has for itself, for each point of the map (0: in
   all of the kernel, which is the caller's own), go to the memory of the block. */
void gpu_share_buffers(struct arena *a, struct kernel *k, kval map, int group, struct schedule *s);
struct schedule *gpu_schedule(const struct target *t, struct arena *a, struct kernel *k);

#endif
