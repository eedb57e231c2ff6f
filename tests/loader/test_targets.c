/*
 * -target and -float-abi: what the objects say of themselves, by which linkers take or refuse them,
 * and that NAME_info is laid out as the target's compiler lays it out.
 */
#define _XOPEN_SOURCE 700
#include "tests/loader/bundle_run.h"

#include "bundle/read/object.h"

static int setup(void **state)
{
    (void)state;
    write_net("net.onnx", "2", 2);
    return 0;
}

/* ---- attributes ---- */

static const struct {
    const char *options, *has, *lacks;
} attributes[] = {
    {"-target=armv7", "Tag_ABI_VFP_args: VFP registers", "Tag_Advanced_SIMD_arch"},
    {"-target=armv7", "Tag_FP_arch: VFPv3-D16\n", "VFPv4"},
    {"-target=armv7 -float-abi=soft", "Tag_FP_arch: VFPv3-D16\n", "Tag_ABI_VFP_args"},
    {"-target=armv7-linux-gnueabi", "Version5 EABI", "Tag_ABI_VFP_args"},
    {"-target=armv7-linux-gnueabi -float-abi=hard", "Tag_ABI_VFP_args: VFP registers", "Advanced"},
    {"-target=armv7 -mattr=-vfp3d16 -float-abi=soft", "Tag_CPU_arch: v7\n", "Tag_FP_arch"},
    {"-target=armv7 -mcpu=cortex-a9", "Tag_Advanced_SIMD_arch: NEONv1\n", "Fused-MAC"},
    {"-target=armv7 -mcpu=cortex-a7", "NEONv1 with Fused-MAC", "d16"},
    {"-target=thumbv6m", "Tag_CPU_arch: v6S-M", "Tag_FP_arch"},
    {"-target=thumbv7m", "Tag_CPU_arch: v7\n", "Tag_FP_arch"},
    {"-target=thumbv7em -mcpu=cortex-m4", "Tag_FP_arch: VFPv4-D16", "Tag_ABI_VFP_args"},
    {"-target=thumbv7em -mcpu=cortex-m4 -float-abi=hard", "Tag_ABI_VFP_args: VFP registers",
     "FPv5"},
    {"-target=thumbv7em-none-eabihf -mcpu=cortex-m7", "Tag_ABI_VFP_args: VFP registers", "SIMD"},
    {"-target=thumbv8m.main -mcpu=cortex-m33", "Tag_CPU_arch: v8-M.mainline", "Tag_ABI_VFP_args"},
    {"-target=riscv64", "RVC, double-float ABI", "v1p0"},
    {"-target=riscv64 -mcpu=sifive-p670", "v1p0", "soft-float"},
    {"-target=riscv64 -float-abi=soft", "soft-float ABI", "double-float"},
    {"-target=riscv64 -mattr=-d", "single-float ABI", "d2p"},
    {"-target=riscv32", "Tag_RISCV_arch: \"rv32i2p1_m2p0", "-float ABI"},
    {"-target=riscv32 -mcpu=sifive-e76", "RVC, single-float ABI", "soft-float"},
    {"-target=riscv32 -mcpu=sifive-e76 -float-abi=soft", "RVC, soft-float ABI", "single-float"},
};

static void objects_state_their_abi(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
        char *text;
        compile(support_printf("-m net.onnx -emit-bundle o %s", attributes[i].options));
        run_or_fail(support_printf("LC_ALL=C readelf -hA '%s/o/net.o'", support_tmp()), &text);
        if (!strstr(text, attributes[i].has) || strstr(text, attributes[i].lacks))
            fail_msg("%s: not with '%s' and without '%s':\n%s", attributes[i].options,
                     attributes[i].has, attributes[i].lacks, text);
        free(text);
    }
}

/* ---- NAME_info and NAME_config ---- */

struct object_view {
    struct object o;
    char *data;
};

/* 32 bits at an offset in the content of a symbol; every target here puts the low byte first. */
static uint32_t word_at(const struct object_view *v, const char *symbol, uint64_t at)
{
    for (uint32_t i = 1; i < v->o.n_symbols; i++) {
        struct object_symbol s;
        struct object_section section;
        if (!object_symbol(&v->o, i, &s) || strcmp(s.name, symbol) != 0)
            continue;
        assert_true(object_section(&v->o, s.section, &section));
        const char *p = v->data + section.offset + s.value + at;
        uint32_t word;
        memcpy(&word, p, sizeof word);
        return word;
    }
    fail_msg("no symbol %s", symbol);
    return 0;
}

static struct object_view open_object(const char *path)
{
    struct object_view v;
    size_t n;
    v.data = support_read_file(path, &n);
    assert_non_null(v.data);
    const char *why = object_open(v.data, n, &v.o);
    if (why)
        fail_msg("%s", why);
    return v;
}

/* `struct_size` is sizeof on the target, which its compiler knows. */
static void info_is_laid_out_as_on_the_target(void **state)
{
    (void)state;
    static const char *const targets[] = {"x86_64",    "aarch64",       "armv7",   "thumbv6m",
                                          "thumbv7em", "thumbv8m.main", "riscv32", "riscv64"};
    SUPPORT_NEED(support_run("command -v clang", NULL) == 0 ? "clang" : NULL, "clang");
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        compile(support_printf("-m net.onnx -emit-bundle o -target=%s", targets[i]));
        struct object_view v = open_object(path_of("o/net.o"));
        unsigned size = word_at(&v, "net_info", 4), pointer = v.o.is_64 ? 8 : 4;
        assert_false(v.o.is_big_endian);
        assert_int_equal(word_at(&v, "net_info", 0), SHEAF_INFO_VERSION);
        assert_int_equal(word_at(&v, "net_config", 3 * pointer), 64);
        assert_int_equal(word_at(&v, "net_config", 0), size_of("o/net.weights"));
        if (strcmp(targets[i], "thumbv7em") == 0)
            assert_true(size < sizeof(struct sheaf_bundle_info));
        if (v.o.is_64)
            assert_int_equal(size, sizeof(struct sheaf_bundle_info));
        const char *text =
            support_printf("#include \"o/net.h\"\n"
                           "_Static_assert(sizeof(struct sheaf_bundle_info) == %u, \"\");\n"
                           "_Static_assert(sizeof(void *) == %u && sizeof(size_t) == %u, \"\");\n"
                           "_Static_assert(NET_CONSTANT_MEM_SIZE == %zu, \"\");\n",
                           size, pointer, pointer, size_of("o/net.weights"));
        support_write_file(path_of("size.c"), text, strlen(text));
        run_or_fail(support_printf("cd '%s' && clang --target=%s-none-elf -ffreestanding -std=c11 "
                                   "-Wno-unused-function -fsyntax-only size.c",
                                   support_tmp(), targets[i]),
                    NULL);
        free(v.data);
    }
}

/* ---- bad input ---- */

/* An area that no pointer of the target reaches the end of. */
static void too_large_for_the_target(void **state)
{
    (void)state;
    write_net("many.onnx", "n", 2);
    compile("-m many.onnx -emit-bundle o -target=riscv32 -onnx-define-symbol=n,200");
    const char *const targets[] = {"thumbv7em", "riscv32", "armv7", "wasm32"};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        tool_expect_fault(support_printf("-m many.onnx -emit-bundle b -target=%s "
                                         "-onnx-define-symbol=n,30000000",
                                         targets[i]),
                          "more than the 2147483647 that pointers of 32 bits allow on ");
}

static void wrong_targets_are_refused(void **state)
{
    (void)state;
    tool_expect_fault("-m net.onnx -float-abi=soft", "option -float-abi needs -emit-bundle");
    tool_expect_fault("-m net.onnx -emit-bundle b -float-abi=softfp",
                      "option -float-abi is one of default|soft|hard, not 'softfp'");
    tool_expect_fault("-m net.onnx -emit-bundle b -target=vax", "'vax' is not supported (known: ");
    tool_expect_fault("-m net.onnx -emit-bundle b -target=x86_64-apple-darwin", "ELF format");
    tool_expect_fault("-m net.onnx -emit-bundle b -target=riscv64 -mcpu=cortex-m4",
                      "processor 'cortex-m4' is not known for riscv64");
    tool_expect_fault("-m net.onnx -emit-bundle b -target=thumbv7m -mattr=+neon",
                      "feature 'neon' is not known for thumbv7m (known: none)");
    tool_expect_fault("-m net.onnx -emit-bundle b -target=x86_64 -float-abi=soft",
                      "code for x86_64 passes floats in registers always");
    tool_expect_fault("-m net.onnx -emit-bundle b -target=thumbv7em-none-eabihf",
                      "processor 'generic' has none for them (-mcpu names others)");
    tool_expect_fault("-m net.onnx -emit-bundle b -target=armv7-linux-gnueabihf -float-abi=soft",
                      "soft, but target 'armv7-linux-gnueabihf' passes floats in registers");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_state_their_abi),
        cmocka_unit_test(info_is_laid_out_as_on_the_target),
        cmocka_unit_test(too_large_for_the_target),
        cmocka_unit_test(wrong_targets_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
