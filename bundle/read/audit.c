#include "bundle/read/audit.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "bundle/bundle.h"
#include "bundle/read/ve_elf.h"

/* ---- machines ---- */

struct relocation_name {
    uint32_t type;
    const char *name;
};

/* Those that LLVM makes for code and constants like ours; numbers of the processor supplements of
   the ELF specification. */
static const struct relocation_name X86_64[] = {
    {1, "R_X86_64_64"},
    {2, "R_X86_64_PC32"},
    {4, "R_X86_64_PLT32"},
    {9, "R_X86_64_GOTPCREL"},
    {10, "R_X86_64_32"},
    {11, "R_X86_64_32S"},
    {0, NULL},
};
static const struct relocation_name AARCH64[] = {
    {257, "R_AARCH64_ABS64"},
    {261, "R_AARCH64_PREL32"},
    {275, "R_AARCH64_ADR_PREL_PG_HI21"},
    {277, "R_AARCH64_ADD_ABS_LO12_NC"},
    {278, "R_AARCH64_LDST8_ABS_LO12_NC"},
    {282, "R_AARCH64_JUMP26"},
    {283, "R_AARCH64_CALL26"},
    {284, "R_AARCH64_LDST16_ABS_LO12_NC"},
    {285, "R_AARCH64_LDST32_ABS_LO12_NC"},
    {286, "R_AARCH64_LDST64_ABS_LO12_NC"},
    {299, "R_AARCH64_LDST128_ABS_LO12_NC"},
    {0, NULL},
};
static const struct relocation_name ARM[] = {
    {2, "R_ARM_ABS32"},         {3, "R_ARM_REL32"},
    {10, "R_ARM_THM_CALL"},     {28, "R_ARM_CALL"},
    {29, "R_ARM_JUMP24"},       {30, "R_ARM_THM_JUMP24"},
    {42, "R_ARM_PREL31"},       {43, "R_ARM_MOVW_ABS_NC"},
    {44, "R_ARM_MOVT_ABS"},     {47, "R_ARM_THM_MOVW_ABS_NC"},
    {48, "R_ARM_THM_MOVT_ABS"}, {0, NULL},
};
static const struct relocation_name RISCV[] = {
    {1, "R_RISCV_32"},
    {2, "R_RISCV_64"},
    {16, "R_RISCV_BRANCH"},
    {17, "R_RISCV_JAL"},
    {18, "R_RISCV_CALL"},
    {19, "R_RISCV_CALL_PLT"},
    {20, "R_RISCV_GOT_HI20"},
    {23, "R_RISCV_PCREL_HI20"},
    {24, "R_RISCV_PCREL_LO12_I"},
    {25, "R_RISCV_PCREL_LO12_S"},
    {26, "R_RISCV_HI20"},
    {27, "R_RISCV_LO12_I"},
    {28, "R_RISCV_LO12_S"},
    {51, "R_RISCV_RELAX"},
    {0, NULL},
};
static const struct relocation_name VE[] = {
#define ROW(number, name, what, part) {number, #name},
    VE_RELOCATIONS(ROW)
#undef ROW
        {0, NULL},
};

static const struct machine {
    uint16_t machine;
    bool is_64;
    const char *name;
    const struct relocation_name *relocations;
} MACHINES[] = {
    {EM_X86_64, true, "x86-64", X86_64},
    {EM_AARCH64, true, "AArch64", AARCH64},
    {EM_ARM, false, "ARM", ARM},
    {EM_RISCV, true, "RISC-V, 64 bits", RISCV},
    {EM_RISCV, false, "RISC-V, 32 bits", RISCV},
    {VE_MACHINE, true, "NEC Vector Engine", VE},
};

static const struct machine *find_machine(const struct object *o)
{
    for (size_t i = 0; i < sizeof MACHINES / sizeof *MACHINES; i++)
        if (MACHINES[i].machine == o->machine && MACHINES[i].is_64 == o->is_64)
            return &MACHINES[i];
    return NULL;
}

const char *audit_machine(const struct object *o)
{
    const struct machine *m = find_machine(o);
    return m ? m->name : "unknown";
}

/* ---- how floats are passed ---- */

static uint64_t read_little(const uint8_t *p, size_t bytes)
{
    uint64_t v = 0;
    for (size_t i = bytes; i > 0; i--)
        v = v << 8 | p[i - 1];
    return v;
}

static bool read_uleb(const uint8_t **p, const uint8_t *end, uint64_t *out)
{
    uint64_t v = 0;
    for (unsigned shift = 0; *p < end && shift < 64; shift += 7) {
        uint8_t byte = *(*p)++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *out = v;
            return true;
        }
    }
    return false;
}

/*
 * The attributes of a whole file ("Addenda to, and Errata in, the ABI for the Arm Architecture",
 * 2.2): pairs of a tag and a number or a text; Tag_ABI_VFP_args is 1 where floats are in registers,
 * 2 or 3 where there are none to pass.  Code without floats has no Tag_ABI_FP_number_model either,
 * as linkers see it.
 */
static enum audit_float_abi file_attributes(const uint8_t *p, const uint8_t *end)
{
    enum {
        TAG_CPU_RAW_NAME = 4,
        TAG_CPU_NAME = 5,
        TAG_ABI_FP_NUMBER_MODEL = 23,
        TAG_ABI_VFP_ARGS = 28,
        TAG_COMPATIBILITY = 32
    };
    uint64_t tag, v, model = 0, args = 0;
    while (p < end && read_uleb(&p, end, &tag)) {
        bool has_number =
            tag == TAG_COMPATIBILITY || (tag > TAG_COMPATIBILITY && tag % 2 == 0) ||
            (tag < TAG_COMPATIBILITY && tag != TAG_CPU_RAW_NAME && tag != TAG_CPU_NAME);
        bool has_text = !has_number || tag == TAG_COMPATIBILITY;
        if (has_number && !read_uleb(&p, end, &v))
            return AUDIT_FLOAT_UNSTATED;
        if (has_number && tag == TAG_ABI_VFP_ARGS)
            args = v;
        if (has_number && tag == TAG_ABI_FP_NUMBER_MODEL)
            model = v;
        if (!has_text)
            continue;
        const uint8_t *zero = memchr(p, 0, (size_t)(end - p));
        if (!zero)
            return AUDIT_FLOAT_UNSTATED;
        p = zero + 1;
    }
    if (args == 1)
        return AUDIT_FLOAT_HARD;
    return args == 0 && model != 0 ? AUDIT_FLOAT_SOFT : AUDIT_FLOAT_UNSTATED;
}

static enum audit_float_abi arm_attributes(const struct object *o, const struct object_section *s)
{
    /* 'A', then a length and "aeabi", then tag 1 (the whole file) and the length from there on. */
    enum { TAG = 1 + 4 + 6, HEAD = TAG + 1 + 4 };
    const uint8_t *p = o->data + s->offset;
    if (s->size < HEAD || p[0] != 'A' || memcmp(p + 5, "aeabi", 6) != 0 || p[TAG] != 1)
        return AUDIT_FLOAT_UNSTATED;
    uint64_t length = read_little(p + TAG + 1, 4);
    if (length < HEAD - TAG || length > s->size - TAG)
        return AUDIT_FLOAT_UNSTATED;
    return file_attributes(p + HEAD, p + TAG + length);
}

enum { RISCV_FLOAT_ABI = 6 }; /* bits of e_flags: 0 soft, 2 single, 4 double */

enum audit_float_abi audit_float_abi(const struct object *o)
{
    if (o->machine == EM_X86_64 || o->machine == EM_AARCH64 || o->machine == VE_MACHINE)
        return AUDIT_FLOAT_HARD;
    if (o->machine == EM_RISCV)
        return o->flags & RISCV_FLOAT_ABI ? AUDIT_FLOAT_HARD : AUDIT_FLOAT_SOFT;
    for (uint32_t i = 1; o->machine == EM_ARM && i < o->n_sections; i++) {
        struct object_section s;
        if (object_section(o, i, &s) && strcmp(s.name, ".ARM.attributes") == 0)
            return arm_attributes(o, &s);
    }
    return AUDIT_FLOAT_UNSTATED;
}

bool audit_floats_agree(const struct object *a, const struct object *b)
{
    if (a->machine == EM_RISCV)
        return ((a->flags ^ b->flags) & RISCV_FLOAT_ABI) == 0;
    enum audit_float_abi one = audit_float_abi(a), other = audit_float_abi(b);
    return one == other || one == AUDIT_FLOAT_UNSTATED || other == AUDIT_FLOAT_UNSTATED;
}

/* ---- sizes ---- */

struct audit_sizes audit_sizes(const struct object *o)
{
    struct audit_sizes sizes = {0};
    for (uint32_t i = 1; i < o->n_sections; i++) {
        struct object_section s;
        if (!object_section(o, i, &s) || !(s.flags & SHF_ALLOC))
            continue;
        bool is_relocated = object_is_relocated(&s);
        if (s.flags & SHF_EXECINSTR)
            sizes.code += s.size;
        else if ((s.flags & SHF_WRITE) && !is_relocated)
            sizes.writable += s.size;
        else
            sizes.constants += s.size;
        sizes.relocated += is_relocated ? s.size : 0;
    }
    return sizes;
}

/* ---- relocations ---- */

static bool is_loaded(const struct object *o, uint32_t section)
{
    struct object_section s;
    return object_section(o, section, &s) && (s.flags & SHF_ALLOC);
}

static void report_type(const struct machine *m, uint32_t type, uint64_t count,
                        audit_relocation_fn *fn, void *arg)
{
    char number[32];
    for (const struct relocation_name *r = m ? m->relocations : NULL; r && r->name; r++)
        if (r->type == type) {
            fn(r->name, count, arg);
            return;
        }
    snprintf(number, sizeof number, "type %u", (unsigned)type);
    fn(number, count, arg);
}

void audit_relocations(const struct object *o, audit_relocation_fn *fn, void *arg)
{
    enum { MAX_TYPES = 2048 }; /* AArch64's go up to 1032 */
    static const uint64_t none[MAX_TYPES];
    uint64_t count[MAX_TYPES];
    memcpy(count, none, sizeof count);
    for (uint32_t i = 1; i < o->n_sections; i++) {
        struct object_section s;
        struct object_relocation r;
        if (!object_section(o, i, &s) || !is_loaded(o, s.info))
            continue;
        for (uint64_t k = 0; object_relocation(o, i, k, &r); k++)
            count[r.type < MAX_TYPES ? r.type : MAX_TYPES - 1]++;
    }
    for (uint32_t t = 0; t < MAX_TYPES; t++)
        if (count[t])
            report_type(find_machine(o), t, count[t], fn, arg);
}

/* ---- entries ---- */

/* The bytes of a defined data symbol; NULL where they are not in the file. */
static const uint8_t *symbol_bytes(const struct object *o, const struct object_symbol *s,
                                   uint64_t least)
{
    struct object_section section;
    if (s->is_undefined || !object_section(o, s->section, &section) || section.type == SHT_NOBITS ||
        s->value > section.size || least > section.size - s->value)
        return NULL;
    return o->data + section.offset + s->value;
}

/* `stem` and `suffix` together. */
static bool is_named(const char *name, const char *stem, size_t length, const char *suffix)
{
    return strncmp(name, stem, length) == 0 && strcmp(name + length, suffix) == 0;
}

static bool read_config(const struct object *o, const char *stem, size_t length,
                        struct audit_entry *out)
{
    size_t word = o->is_64 ? 8 : 4;
    for (uint32_t i = 1; i < o->n_symbols; i++) {
        struct object_symbol s;
        if (!object_symbol(o, i, &s) || !is_named(s.name, stem, length, "_config"))
            continue;
        const uint8_t *p = symbol_bytes(o, &s, 3 * word);
        if (!p)
            return false;
        out->constants = read_little(p, word);
        out->mutables = read_little(p + word, word);
        out->activations = read_little(p + 2 * word, word);
        return true;
    }
    return false;
}

/* Where the numbers lie in NAME_info: behind two words of 32 bits, five addresses, the digest, two
   words of 32 bits and five addresses. */
static bool read_info(const struct object *o, const struct object_symbol *s,
                      struct audit_entry *out)
{
    size_t word = o->is_64 ? 8 : 4;
    size_t at = 8 + 5 * word + 16 + 8 + 5 * word;
    const uint8_t *p = symbol_bytes(o, s, 8);
    if (!p || read_little(p, 4) != SHEAF_INFO_VERSION)
        return false;
    if (read_little(p + 4, 4) < at + 16 || !symbol_bytes(o, s, at + 16))
        return true;
    out->stack_bytes = read_little(p + at, 8);
    out->macs = read_little(p + at + 8, 8);
    if (symbol_bytes(o, s, at + 24))
        out->layout_id = read_little(p + at + 16, 8);
    return true;
}

bool audit_entry(const struct object *o, uint32_t k, struct audit_entry *out_entry)
{
    static const char suffix[] = "_info";
    uint32_t seen = 0;
    for (uint32_t i = 1; i < o->n_symbols; i++) {
        struct object_symbol info, fn;
        struct audit_entry e = {0};
        size_t n;
        if (!object_symbol(o, i, &fn) || fn.is_undefined || fn.is_local || !fn.is_function)
            continue;
        n = strlen(fn.name);
        for (uint32_t j = 1; j < o->n_symbols; j++) {
            if (!object_symbol(o, j, &info) || !is_named(info.name, fn.name, n, suffix) ||
                !read_config(o, fn.name, n, &e) || !read_info(o, &info, &e) || seen++ != k)
                continue;
            e.name = fn.name;
            *out_entry = e;
            return true;
        }
    }
    return false;
}
