/* Machine code of AMX instructions: Intel SDM volume 2, chapter 2 and the pages of each. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/amx_insn.h"

int sim_amx_fault(char *out, const char *fmt, const char *what, int a, int b)
{
    snprintf(out, SIM_AMX_FAULT_CHARS, fmt, what, a, b);
    return -1;
}

static int32_t displacement32(const uint8_t *p)
{
    int32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/*
 * The memory operand, SDM volume 2, section 2.1.5 and tables 2-1 to 2-3.  x and b are the bits that
 * extend index and base.  Returns the bytes that ModRM is followed by.
 */
static int decode_memory(struct insn *in, const uint8_t *after, const uint64_t *reg, int x, int b,
                         const uint8_t *code, int length_so_far)
{
    int n = 0, base = in->modrm_rm + 8 * b;
    uint64_t at = 0;
    in->stride = 0;
    if (in->modrm_rm == 4) {
        uint8_t sib = after[n++];
        int index = (sib >> 3 & 7) + 8 * x;
        base = (sib & 7) + 8 * b;
        if (index != 4)
            in->stride = reg[index] << (sib >> 6);
        if ((sib & 7) == 5 && in->mod == 0) {
            in->address = (uint64_t)(int64_t)displacement32(after + n);
            return n + 4;
        }
    } else if (in->modrm_rm == 5 && in->mod == 0) {
        /* relative to the next instruction */
        in->address = (uint64_t)(uintptr_t)code + (uint64_t)(length_so_far + 4) +
                      (uint64_t)(int64_t)displacement32(after);
        return 4;
    }
    at = reg[base];
    if (in->mod == 1)
        at += (uint64_t)(int64_t)(int8_t)after[n++];
    if (in->mod == 2) {
        at += (uint64_t)(int64_t)displacement32(after + n);
        n += 4;
    }
    in->address = at;
    return n;
}

enum { PP_NONE, PP_66, PP_F3, PP_F2 };

static const struct {
    uint8_t opcode, prefix;
    bool memory;
    int reg, rm; /* what ModRM.reg and r/m have to be; -1: any */
    enum sim_amx_kind kind;
    const char *name;
} INSNS[] = {
    {0x49, PP_NONE, true, 0, -1, SIM_AMX_LDTILECFG, "ldtilecfg"},
    {0x49, PP_66, true, 0, -1, SIM_AMX_STTILECFG, "sttilecfg"},
    {0x49, PP_NONE, false, 0, 0, SIM_AMX_TILERELEASE, "tilerelease"},
    {0x49, PP_F2, false, -1, 0, SIM_AMX_TILEZERO, "tilezero"},
    {0x4b, PP_F2, true, -1, 4, SIM_AMX_TILELOADD, "tileloadd"},
    {0x4b, PP_66, true, -1, 4, SIM_AMX_TILELOADD, "tileloaddt1"},
    {0x4b, PP_F3, true, -1, 4, SIM_AMX_TILESTORED, "tilestored"},
    {0x5e, PP_F2, false, -1, -1, SIM_AMX_TDPBSSD, "tdpbssd"},
    {0x5e, PP_F3, false, -1, -1, SIM_AMX_TDPBSUD, "tdpbsud"},
    {0x5e, PP_66, false, -1, -1, SIM_AMX_TDPBUSD, "tdpbusd"},
    {0x5e, PP_NONE, false, -1, -1, SIM_AMX_TDPBUUD, "tdpbuud"},
    {0x5c, PP_F3, false, -1, -1, SIM_AMX_TDPBF16PS, "tdpbf16ps"},
};

static bool is_tdp(enum sim_amx_kind kind)
{
    return kind >= SIM_AMX_TDPBSSD;
}

/* The row of INSNS, or -1: not an instruction that is simulated. */
static int find(const struct insn *in)
{
    for (size_t i = 0; i < sizeof INSNS / sizeof *INSNS; i++)
        if (INSNS[i].opcode == in->opcode && INSNS[i].prefix == in->prefix &&
            INSNS[i].memory == (in->mod != 3) &&
            (INSNS[i].reg < 0 || INSNS[i].reg == in->modrm_reg) &&
            (INSNS[i].rm < 0 || INSNS[i].rm == in->modrm_rm))
            return (int)i;
    return -1;
}

/* The bytes of a legacy prefix or REX, which a VEX instruction may follow at a price. */
static bool is_prefix(uint8_t byte)
{
    return byte == 0x66 || byte == 0xf2 || byte == 0xf3 || byte == 0xf0 || byte == 0x64 ||
           byte == 0x65 || byte == 0x67 || (byte & 0xf0) == 0x40;
}

int sim_amx_decode(const uint8_t *code, const uint64_t *reg, struct insn *in, char *out_fault)
{
    const uint8_t *p = code;
    int n_prefixes = 0;
    while (n_prefixes < 4 && is_prefix(*p)) {
        p++;
        n_prefixes++;
    }
    /* Three bytes of VEX, map 0F38. */
    if (p[0] != 0xc4 || (p[1] & 0x1f) != 2)
        return 0;
    bool r = !(p[1] & 0x80), x = !(p[1] & 0x40), b = !(p[1] & 0x20);
    *in = (struct insn){.prefix = p[2] & 3, .opcode = p[3], .w = p[2] >> 7, .l = p[2] >> 2 & 1};
    in->vvvv = 15 - (p[2] >> 3 & 15);
    in->mod = p[4] >> 6;
    in->modrm_reg = p[4] >> 3 & 7;
    in->modrm_rm = p[4] & 7;
    int row = find(in);
    if (row < 0)
        return 0;
    const char *name = INSNS[row].name;
    in->kind = INSNS[row].kind;
    in->name = name;
    if (n_prefixes)
        return sim_amx_fault(out_fault, "%s: #UD, a prefix (0x%02x) stands before it", name,
                             code[0], 0);
    if (in->w || in->l)
        return sim_amx_fault(out_fault, "%s: #UD, VEX.W is %d and VEX.L is %d, not 0", name, in->w,
                             in->l);
    if (!is_tdp(in->kind) && in->vvvv != 0)
        return sim_amx_fault(out_fault, "%s: #UD, VEX.vvvv is %d where there is no operand", name,
                             15 - in->vvvv, 0);
    in->reg = in->modrm_reg + 8 * r;
    in->rm = in->modrm_rm + 8 * b;
    in->length = 5;
    if (INSNS[row].memory)
        in->length += decode_memory(in, p + 5, reg, x, b, code, in->length);
    return 1;
}
