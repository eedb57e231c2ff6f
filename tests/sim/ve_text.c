/* Instructions as LLVM's disassembler prints them. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/ve_insn.h"

struct text {
    char *out;
    size_t size, n;
};

static void put(struct text *t, const char *fmt, ...) ERROR_PRINTF(2, 3);

static void put(struct text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(t->out + t->n, t->size - t->n, fmt, args);
    va_end(args);
    if (n > 0)
        t->n = t->n + (size_t)n < t->size ? t->n + (size_t)n : t->size - 1;
}

static void put_mask_immediate(struct text *t, unsigned field)
{
    put(t, "(%u)%d", field & 63, field & 64 ? 0 : 1);
}

static void put_y(struct text *t, const struct ve_insn *in)
{
    if (in->cy)
        put(t, "%%s%u", in->y);
    else
        put(t, "%lld", (long long)in->value_y);
}

/* A register, 0, or an immediate mask. */
static void put_z(struct text *t, const struct ve_insn *in, bool is_mask)
{
    if (in->cz)
        put(t, "%%s%u", in->z);
    else if (is_mask)
        put_mask_immediate(t, in->z);
    else
        put(t, "0");
}

/* D(Sy, Sz), where all but one may be missing. */
static void put_address(struct text *t, const struct ve_insn *in, bool has_y)
{
    bool y = has_y && (in->cy || in->value_y);
    if (in->d || (!y && !in->cz))
        put(t, "%lld", (long long)in->d);
    if (!y && !in->cz)
        return;
    put(t, "(");
    if (y)
        put_y(t, in);
    if (in->cz)
        put(t, "%s%%s%u", has_y ? ", " : "", in->z);
    put(t, ")");
}

static const char *rounding(unsigned mode)
{
    static const char *const names[] = {".rz", ".rp", ".rm", ".rn", ".ra"};
    return mode >= 8 && mode <= 12 ? names[mode - 8] : "";
}

static void put_branch(struct text *t, const struct ve_insn *in)
{
    bool relative = in->row->form == VE_FORM_RELATIVE, always = in->condition == 15;
    static const char *const hints[] = {"", ".??", ".nt", ".t"};
    put(t, "b%s%s.%s%s ", relative ? "r" : "", always ? "" : ve_condition_names[in->condition],
        strchr(in->row->name, '.') + 1, hints[in->bpf]);
    if (!always && in->condition != 0) {
        put_y(t, in);
        put(t, ", ");
        if (relative) {
            put_z(t, in, false);
            put(t, ", ");
        }
    }
    if (relative) {
        put(t, "%lld", (long long)in->d);
    } else {
        /* written as if there could be a y */
        struct ve_insn without_y = *in;
        without_y.cy = false;
        without_y.value_y = 0;
        put_address(t, &without_y, true);
    }
}

static void put_scalar_form(struct text *t, const struct ve_insn *in)
{
    enum ve_form form = in->row->form;
    if (form == VE_FORM_PREFETCH) {
        put_address(t, in, true);
        return;
    }
    if (form == VE_FORM_Y) {
        put_y(t, in);
        return;
    }
    if (form == VE_FORM_FENCE) {
        put(t, "%u", in->x & 3);
        return;
    }
    put(t, "%%s%u", in->x);
    if (form == VE_FORM_X)
        return;
    put(t, ", ");
    switch (form) {
    case VE_FORM_ADDRESS:
        put_address(t, in, true);
        break;
    case VE_FORM_HOST:
        put_address(t, in, false);
        break;
    case VE_FORM_ATOMIC:
    case VE_FORM_CAS:
        put_address(t, in, false);
        put(t, ", ");
        put_y(t, in);
        break;
    case VE_FORM_XZ:
        put_z(t, in, true);
        break;
    case VE_FORM_XY:
    case VE_FORM_ROUND:
        put_y(t, in);
        break;
    case VE_FORM_XYZ:
        put_y(t, in);
        put(t, ", ");
        put_z(t, in, true);
        break;
    default:
        put_z(t, in, true);
        put(t, ", ");
        put_y(t, in);
    }
}

static void put_moves(struct text *t, const struct ve_insn *in)
{
    switch (in->row->form) {
    case VE_FORM_VPREFETCH:
        put_y(t, in);
        put(t, ", ");
        put_z(t, in, false);
        break;
    case VE_FORM_LSV:
        put(t, "%%v%u(", in->vx);
        put_y(t, in);
        put(t, "), ");
        put_z(t, in, true);
        break;
    case VE_FORM_LVS:
        put(t, "%%s%u, %%v%u(", in->x, in->vx);
        put_y(t, in);
        put(t, ")");
        break;
    case VE_FORM_LVM:
        put(t, "%%vm%u, ", in->vx);
        put_y(t, in);
        put(t, ", ");
        put_z(t, in, true);
        break;
    case VE_FORM_SVM:
        put(t, "%%s%u, %%vm%u, ", in->x, in->vz);
        put_y(t, in);
        break;
    case VE_FORM_MMM:
        put(t, "%%vm%u, %%vm%u, %%vm%u", in->vx, in->vy, in->vz);
        break;
    case VE_FORM_MM:
        put(t, "%%vm%u, %%vm%u", in->vx, in->vy);
        break;
    default:
        put(t, "%%s%u, %%vm%u", in->x, in->vy);
    }
}

/* Vy or Vz, or what stands for it. */
static void put_source(struct text *t, const struct ve_insn *in, unsigned v, bool is_scalar)
{
    if (!is_scalar)
        put(t, "%%v%u", v);
    else if (!in->cy && in->row->form == VE_FORM_VLOGIC)
        put_mask_immediate(t, in->y);
    else
        put_y(t, in);
}

static void put_vector_form(struct text *t, const struct ve_insn *in)
{
    enum ve_form form = in->row->form;
    put(t, form == VE_FORM_VFMK ? "%%vm%u" : "%%v%u", in->vx);
    if (form == VE_FORM_V)
        return;
    if (form == VE_FORM_VFMK) {
        if (in->condition != 0 && in->condition != 15)
            put(t, ", %%v%u", in->vz);
        return;
    }
    put(t, ", ");
    switch (form) {
    case VE_FORM_VGT:
        put(t, in->cs ? "%%s%u, " : "%%v%u, ", in->cs ? in->vw & 127 : in->vy);
        put_y(t, in);
        put(t, ", ");
        put_z(t, in, false);
        break;
    case VE_FORM_VLD:
    case VE_FORM_VST:
        put_y(t, in);
        put(t, ", ");
        put_z(t, in, false);
        break;
    case VE_FORM_VY:
    case VE_FORM_VROUND:
        put(t, "%%v%u", in->vy);
        break;
    case VE_FORM_VZ:
        put(t, "%%v%u", in->vz);
        break;
    case VE_FORM_VBRD:
        put_y(t, in);
        break;
    case VE_FORM_VMV:
        put_y(t, in);
        put(t, ", %%v%u", in->vz);
        break;
    case VE_FORM_VSHF:
        put(t, "%%v%u, %%v%u, ", in->vy, in->vz);
        put_y(t, in);
        break;
    case VE_FORM_VSHIFT:
        put(t, "%%v%u, ", in->vz);
        put_source(t, in, in->vy, in->cs);
        break;
    case VE_FORM_VSFA:
        put(t, "%%v%u, ", in->vz);
        put_y(t, in);
        put(t, ", ");
        put_z(t, in, true);
        break;
    default:
        put_source(t, in, in->vy, in->cs);
        put(t, ", ");
        put_source(t, in, in->vz, in->cs2 && (form == VE_FORM_VDIV || form == VE_FORM_VFMAD));
        if (form == VE_FORM_VFMAD)
            put(t, ", %%v%u", in->vw);
    }
}

void ve_text(const struct ve_insn *in, char *out, size_t size)
{
    struct text t = {.out = out, .size = size};
    enum ve_form form = in->row->form;
    if (form == VE_FORM_RELATIVE || form == VE_FORM_BRANCH_TO) {
        put_branch(&t, in);
        return;
    }
    put(&t, "%s", in->row->name);
    if (form == VE_FORM_CMOV || form == VE_FORM_VFMK)
        put(&t, "%s", ve_condition_names[in->condition]);
    if (form == VE_FORM_ROUND || form == VE_FORM_VROUND)
        put(&t, "%s", rounding(form == VE_FORM_ROUND ? in->z & 15U : in->vz & 15U));
    if (form == VE_FORM_NONE)
        return;
    put(&t, " ");
    bool moves = form == VE_FORM_VPREFETCH || form == VE_FORM_LSV || form == VE_FORM_LVS ||
                 form == VE_FORM_LVM || form == VE_FORM_SVM || form == VE_FORM_MMM ||
                 form == VE_FORM_MM || form == VE_FORM_XM;
    if (!in->is_vector)
        put_scalar_form(&t, in);
    else if (moves)
        put_moves(&t, in);
    else
        put_vector_form(&t, in);
    if (in->is_vector && !moves && form != VE_FORM_VLD && form != VE_FORM_VSHF && in->m)
        put(&t, ", %%vm%u", in->m);
}
