/*
 * From words to instructions.  The table is searched when an instruction first runs; what is not in
 * it, or has a register that does not exist, is refused.
 */
#include <stddef.h>
#include <string.h>

#include "tests/sim/ve_run.h"

/* The letters of variants in the table. */
enum { C = VE_C, D = VE_D, S = VE_S, E = VE_E, W = VE_W, X = VE_X };

#define VE_ROW(op, variant_, form_, name_, run_, lanes_, class_)                                   \
    {.opcode = op,                                                                                 \
     .variant = variant_,                                                                          \
     .form = VE_FORM_##form_,                                                                      \
     .name = name_,                                                                                \
     .run = run_,                                                                                  \
     .lanes = lanes_,                                                                              \
     .class = VE_##class_},
#define VE_RUN(op, variant_, form_, name_, function, class_)                                       \
    VE_ROW(op, variant_, form_, name_, ve_run_##function, NULL, class_)
#define VE_SCALAR(op, variant_, form_, name_, id, class_, value)                                   \
    VE_ROW(op, variant_, form_, name_, ve_run_##id, NULL, class_)
#define VE_LANES(op, variant_, form_, name_, id, class_, to, from, value)                          \
    VE_ROW(op, variant_, form_, name_, ve_lanes_run, ve_lanes_##id, class_)
const struct ve_row ve_rows[] = {
#include "tests/sim/ve_decode.def"
};
#undef VE_RUN
#undef VE_SCALAR
#undef VE_LANES
const unsigned ve_n_rows = sizeof ve_rows / sizeof *ve_rows;

/* Which bits of the word belong to the variant; in some formats they are part of a field. */
static unsigned variant_mask(enum ve_form form)
{
    switch (form) {
    case VE_FORM_NONE:
    case VE_FORM_X:
    case VE_FORM_Y:
    case VE_FORM_XY:
    case VE_FORM_XZ:
    case VE_FORM_XYZ:
    case VE_FORM_SHIFT:
    case VE_FORM_BSWP:
    case VE_FORM_CMOV:
    case VE_FORM_ROUND:
        return VE_C | VE_W | VE_X;
    case VE_FORM_RELATIVE:
    case VE_FORM_BRANCH_TO:
    case VE_FORM_VLD:
    case VE_FORM_VST:
    case VE_FORM_VGT:
    case VE_FORM_VPREFETCH:
    case VE_FORM_VDIV:
    case VE_FORM_VFMAD:
        return VE_C | VE_D;
    case VE_FORM_V:
    case VE_FORM_VY:
    case VE_FORM_VZ:
    case VE_FORM_VROUND:
    case VE_FORM_VBRD:
    case VE_FORM_VMV:
    case VE_FORM_VFMK:
    case VE_FORM_VSFA:
        return VE_C | VE_D | VE_S | VE_E;
    case VE_FORM_VYZ:
    case VE_FORM_VLOGIC:
    case VE_FORM_VSHIFT:
        return VE_C | VE_D | VE_E;
    default:
        return VE_C;
    }
}

static const struct ve_row *find_row(uint64_t word)
{
    unsigned bits =
        (unsigned)(word >> 52 & 15) | (word >> 7 & 1 ? VE_W : 0) | (word >> 6 & 1 ? VE_X : 0);
    for (unsigned i = 0; i < ve_n_rows; i++)
        if (ve_rows[i].opcode == word >> 56 &&
            ve_rows[i].variant == (bits & variant_mask(ve_rows[i].form)))
            return &ve_rows[i];
    return NULL;
}

/* Section 5.4: m zeros or ones in the high bits, then the opposite. */
static uint64_t mask_immediate(unsigned field)
{
    uint64_t low = ~UINT64_C(0) >> (field & 63);
    return field & 64 ? low : ~low;
}

/* I: seven bits, with a sign unless they count something. */
static uint64_t short_immediate(unsigned field, enum ve_form form)
{
    switch (form) {
    case VE_FORM_SHIFT:
    case VE_FORM_BSWP:
    case VE_FORM_ATOMIC:
    case VE_FORM_LSV:
    case VE_FORM_LVS:
    case VE_FORM_LVM:
    case VE_FORM_SVM:
    case VE_FORM_VSHIFT:
    case VE_FORM_VSFA:
    case VE_FORM_VMV:
    case VE_FORM_VSHF:
        return field;
    case VE_FORM_VLOGIC:
        return mask_immediate(field);
    default:
        return field & 64 ? field | ~UINT64_C(127) : field;
    }
}

static bool takes_mask_immediate(enum ve_form form)
{
    return form == VE_FORM_XZ || form == VE_FORM_XYZ || form == VE_FORM_SHIFT ||
           form == VE_FORM_BSWP || form == VE_FORM_CMOV || form == VE_FORM_LSV ||
           form == VE_FORM_LVM || form == VE_FORM_VSFA;
}

static bool is_vector_form(enum ve_form form)
{
    return form >= VE_FORM_VLD;
}

/* Pairs of words are all those called p.., but for a half of them, and vmrg.w. */
static bool is_pair(const struct ve_row *row)
{
    return (strncmp(row->name, "pv", 2) == 0 && !strstr(row->name, ".lo") &&
            !strstr(row->name, ".up")) ||
           strcmp(row->name, "vmrg.w") == 0;
}

/* Scalars and masks are numbered by seven and four bits, vectors by eight: 255 is VIX's. */
static bool registers_exist(const struct ve_insn *in)
{
    enum ve_form form = in->row->form;
    bool no_scalar_x =
        form == VE_FORM_FENCE || form == VE_FORM_RELATIVE || form == VE_FORM_BRANCH_TO;
    if ((!is_vector_form(form) && !no_scalar_x && in->x >= VE_SCALARS) ||
        (in->cy && in->y >= VE_SCALARS) || (in->cz && in->z >= VE_SCALARS))
        return false;
    if (!is_vector_form(form))
        return true;
    switch (form) {
    case VE_FORM_VLD:
    case VE_FORM_VST:
    case VE_FORM_VGT:
    case VE_FORM_LSV:
    case VE_FORM_LVS:
        return in->vx < VE_VECTORS && (in->cs || in->vy < VE_VECTORS);
    case VE_FORM_LVM:
    case VE_FORM_SVM:
    case VE_FORM_MMM:
    case VE_FORM_MM:
    case VE_FORM_XM:
        return in->vx < VE_MASKS && in->vy < VE_MASKS && in->vz < VE_MASKS;
    case VE_FORM_VFMK:
        return in->vx < VE_MASKS && in->vz < VE_VECTORS;
    default:
        return in->vx < VE_VECTORS && in->vy < VE_VECTORS && in->vz < VE_VECTORS &&
               in->vw < VE_VECTORS;
    }
}

/* Conditions 7 to 14 are about NaN. */
static bool condition_exists(const struct ve_insn *in)
{
    enum ve_form form = in->row->form;
    if (form != VE_FORM_CMOV && form != VE_FORM_VFMK && form != VE_FORM_RELATIVE &&
        form != VE_FORM_BRANCH_TO)
        return true;
    char type = strchr(in->row->name, '.')[1];
    return type == 'd' || type == 's' || in->condition < 7 || in->condition == 15;
}

const char *ve_decode(struct ve_insn *in)
{
    uint64_t word = in->word;
    const struct ve_row *row = find_row(word);
    if (!row)
        return "is not known";
    in->row = row;
    in->x = (uint8_t)(word >> 48 & 127);
    in->cy = word >> 47 & 1;
    in->y = (uint8_t)(word >> 40 & 127);
    in->cz = word >> 39 & 1;
    in->z = (uint8_t)(word >> 32 & 127);
    in->d = (int32_t)(uint32_t)word;
    in->vx = (uint8_t)(word >> 24);
    in->vy = (uint8_t)(word >> 16);
    in->vz = (uint8_t)(word >> 8);
    in->vw = (uint8_t)word;
    in->m = (uint8_t)(word >> 48 & 15);
    in->cs = word >> 53 & 1;
    in->cs2 = word >> 52 & 1;
    in->bpf = (uint8_t)(word >> 52 & 3);
    in->condition = row->form == VE_FORM_CMOV   ? (uint8_t)(word & 15)
                    : row->form == VE_FORM_VFMK ? (uint8_t)(in->vy & 15)
                                                : (uint8_t)(word >> 48 & 15);
    in->value_y = short_immediate(in->y, row->form);
    in->value_z = takes_mask_immediate(row->form) ? mask_immediate(in->z) : 0;
    in->is_vector = is_vector_form(row->form);
    in->is_pair = in->is_vector && is_pair(row);
    if (!registers_exist(in))
        return "has a register that does not exist";
    if (!condition_exists(in))
        return "has a condition that only floats have";
    if (in->is_pair && in->m % 2)
        return "has a pair of masks that begins with an odd one";
    return NULL;
}
