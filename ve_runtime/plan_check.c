/* Is a launch plan sound, and for this device?  What is looked at here needs no check later. */
#include <string.h>

#include "ve_runtime/context.h"

/* ELF-64's header (System V ABI, "ELF Header"); EM_VE. */
enum {
    ELF_HEADER_BYTES = 64,
    ELF_TYPE = 16,
    ELF_MACHINE = 18,
    ELF_SHARED_OBJECT = 3,
    ELF_VECTOR_ENGINE = 251
};

enum { ARCH_VE1 = 1 };

static int is_sound_image(const struct sheaf_image *image)
{
    static const uint8_t start[] = {0x7f, 'E', 'L', 'F', 2 /* 64 bits */, 1 /* low byte first */};
    const uint8_t *elf = image->data;
    return image->kind == SHEAF_IMAGE_VE && image->arch == ARCH_VE1 && elf &&
           image->size >= ELF_HEADER_BYTES && image->size <= SIZE_MAX &&
           memcmp(elf, start, sizeof start) == 0 &&
           (elf[ELF_TYPE] | elf[ELF_TYPE + 1] << 8) == ELF_SHARED_OBJECT &&
           (elf[ELF_MACHINE] | elf[ELF_MACHINE + 1] << 8) == ELF_VECTOR_ENGINE;
}

static int is_sound_kernel(const struct sheaf_kernel *k)
{
    return k->name && k->name[0] && strlen(k->name) <= VEO_SYMNAME_LEN_MAX && k->blocks >= 1 &&
           k->blocks <= SHEAF_VE_MAX_RANKS && k->threads == 1 && k->shared_bytes == 0 &&
           k->n_parameters == 1;
}

enum sheaf_status plan_check(const struct sheaf_linked *l, struct sheaf_error *err)
{
    const struct sheaf_plan *p = RT_INFO_HAS(l->info, plan) ? l->info->plan : NULL;
    if (!p || p->device != SHEAF_DEVICE_VE)
        return rt_fail(err, SHEAF_ERROR_UNSUPPORTED,
                       "%s: the bundle was not compiled for the Vector Engine (loader -ve)",
                       l->info->name);
    if (!RT_PLAN_HAS(p, pointers) || p->n_images != 1 || !p->images || !p->n_kernels ||
        !p->kernels || (p->n_kernels > 1 && !p->n_steps) || (p->n_steps && !p->steps) ||
        (p->n_pointers && !p->pointers))
        return rt_fail(err, SHEAF_ERROR_FORMAT,
                       "%s: the launch plan is not one image, and one kernel or steps",
                       l->info->name);
    if (!is_sound_image(&p->images[0]))
        return rt_fail(err, SHEAF_ERROR_FORMAT,
                       "%s: the image of the launch plan is no shared object of a Vector Engine of "
                       "the first generation",
                       l->info->name);
    for (uint32_t i = 0; i < p->n_kernels; i++)
        if (!is_sound_kernel(&p->kernels[i]) || p->kernels[i].blocks != p->kernels[0].blocks)
            return rt_plan_malformed(l, "kernel", i, err);
    return rt_plan_check_steps(l, err);
}
