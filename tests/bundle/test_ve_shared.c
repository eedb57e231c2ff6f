/*
 * test_ve_shared.c: shared objects for the Vector Engine run in the simulator as their objects do,
 * have the bytes that were computed by hand, and read as LLVM's tools read the object.
 */
#include <elf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bundle/read/object.h"
#include "bundle/read/ve_check.h"
#include "bundle/read/ve_elf.h"
#include "bundle/write/ve_shared.h"
#include "tests/sim/ve.h"
#include "tests/support/fixture.h"
#include "tests/support/random.h"
#include "tests/support/support.h"
#include "tests/support/ve_object.h"

/* The shared object, which has to be one that can be opened. */
static struct bytes linked(struct bytes object)
{
    struct bytes library;
    struct object o;
    if (!ve_shared_make(&arena, "libtest.so", object, &library, &err))
        fail_msg("%s", err.text);
    const char *why = object_open(library.data, library.size, &o);
    if (!why)
        why = ve_check(&o);
    if (why)
        fail_msg("%s", why);
    return library;
}

static struct bytes program(void)
{
    return ve_object(&arena, VE_PROGRAM, LLVMRelocPIC);
}

static uint64_t get(const void *at, size_t n_bytes)
{
    uint64_t v = 0;
    memcpy(&v, at, n_bytes);
    return v;
}

/* ---- in the simulator ---- */

static void runs_as(struct bytes file)
{
    struct sim_ve *ve = sim_ve_create((uint64_t)1 << 30);
    assert_non_null(ve);
    struct sim_ve_library *library = sim_ve_load(ve, "libtest.so", file.data, file.size, &err);
    if (!library)
        fail_msg("%s", err.text);
    struct sim_ve_context *context = sim_ve_open(ve, 0);
    uint64_t run = sim_ve_symbol(ve, library, "run");
    assert_int_not_equal(run, 0);
    assert_int_equal(sim_ve_symbol(ve, library, "aside"), 0);
    assert_int_equal(sim_ve_symbol(ve, library, "twice"), 0);
    struct ve_program p = VE_PROGRAM_START;
    for (uint64_t i = 0; i < 30; i++) {
        uint64_t x = i % 10;
        sim_ve_call(context, run, &x, 1);
        sim_ve_run(ve, context, 0);
        if (sim_ve_state(context) != SIM_VE_DONE)
            fail_msg("run %" PRIu64 ": %s", i, sim_ve_fault(context));
        assert_int_equal(sim_ve_result(context), ve_program_run(&p, x));
    }
    sim_ve_destroy(ve);
}

static void a_program_runs(void **state)
{
    (void)state;
    struct bytes object = program();
    runs_as(object);
    runs_as(linked(object));
}

/* ---- by hand ---- */

/*
 * With one symbol to be found and the name libtest.so, .dynsym lies at 0x120 (behind the header, 64
 * bytes, and four segments of 56), 48 bytes; .dynstr at 0x150, 1 + 11 + 2 bytes; .hash at 0x160, 5
 * words; two relocations at 0x178, 48 bytes.  So .rodata, 16 bytes aligned to 16, lies at 0x1b0 and
 * .text, 13 instructions, at 0x1c0 up to 0x228.  In the second segment .dynamic, 10 entries, begins
 * at 0x200228, GOT with two words at 0x2002c8, .data at 0x2002d8 and .bss at 0x2002e0.
 */
static const char BY_HAND[] = "module asm \".text\"\n"
                              "module asm \".globl f\"\n"
                              "module asm \".type f,@function\"\n"
                              "module asm \"f:\"\n"
                              "module asm \"lea %s0, local@pc_lo(-24)\"\n"            /* 0x1c0 */
                              "module asm \"and %s0, %s0, (32)0\"\n"                  /* 0x1c8 */
                              "module asm \"sic %s1\"\n"                              /* 0x1d0 */
                              "module asm \"lea.sl %s0, local@pc_hi(%s1, %s0)\"\n"    /* 0x1d8 */
                              "module asm \"lea %s0, local@gotoff_lo\"\n"             /* 0x1e0 */
                              "module asm \"lea.sl %s0, local@gotoff_hi(, %s0)\"\n"   /* 0x1e8 */
                              "module asm \"lea %s0, f@got_lo\"\n"                    /* 0x1f0 */
                              "module asm \"lea.sl %s0, f@got_hi(, %s0)\"\n"          /* 0x1f8 */
                              "module asm \"lea %s0, data@pc_lo(-24)\"\n"             /* 0x200 */
                              "module asm \"lea.sl %s0, data@pc_hi(, %s0)\"\n"        /* 0x208 */
                              "module asm \"lea %s0, f@plt_lo(-24)\"\n"               /* 0x210 */
                              "module asm \"lea.sl %s0, f@plt_hi(, %s0)\"\n"          /* 0x218 */
                              "module asm \"lea %s0, _GLOBAL_OFFSET_TABLE_@pc_lo\"\n" /* 0x220 */
                              "module asm \".section .rodata\"\n"
                              "module asm \".balign 16\"\n"
                              "module asm \".quad 5\"\n"
                              "module asm \"local: .quad 6\"\n" /* 0x1b8 */
                              "module asm \".data\"\n"
                              "module asm \".balign 8\"\n"
                              "module asm \"data: .quad local + 1\"\n" /* 0x2002d8 */
                              "module asm \".bss\"\n"
                              "module asm \".zero 40\"\n";

static void bytes_are_those_computed_by_hand(void **state)
{
    (void)state;
    static const struct {
        uint64_t at;
        uint32_t want;
    } cases[] = {
        {0x1c0, 0xfffffff8}, /* 0x1b8 - 0x1c0 */
        {0x1d8, 0xffffffff}, /* 0x1b8 - 0x1d8 is negative */
        {0x1e0, 0xffdffef0}, /* 0x1b8 - 0x2002c8 */
        {0x1e8, 0xffffffff},
        {0x1f0, 8}, /* behind the reserved word */
        {0x1f8, 0},
        {0x200, 0x2000d8}, /* 0x2002d8 - 0x200 */
        {0x208, 0},
        {0x210, 0xffffffb0}, /* 0x1c0 - 0x210 */
        {0x218, 0xffffffff},
        {0x220, 0x2000a8}, /* 0x2002c8 - 0x220 */
        /* Words of address, as they are before the file is loaded: GOT, .dynamic and f; .data. */
        {0x2c8, 0x200228},
        {0x2d0, 0x1c0},
        {0x2d8, 0x1b9},
        /* The relocations of both: place, type, address. */
        {0x178, 0x2002d8},
        {0x180, R_VE_RELATIVE},
        {0x188, 0x1b9},
        {0x190, 0x2002d0},
        {0x198, R_VE_RELATIVE},
        {0x1a0, 0x1c0},
    };
    struct bytes library = linked(ve_object(&arena, BY_HAND, LLVMRelocPIC));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (get(library.data + cases[i].at, 4) != cases[i].want)
            fail_msg("at 0x%" PRIx64 " is 0x%" PRIx64 ", not 0x%" PRIx32, cases[i].at,
                     get(library.data + cases[i].at, 4), cases[i].want);
    /* What follows the immediate operands are the instructions, unchanged. */
    assert_int_equal(get(library.data + 0x1c4, 4), 0x06006800);
    assert_int_equal(get(library.data + 0x1d8 + 4, 4), 0x06808180);
    struct object o;
    struct object_segment s;
    assert_null(object_open(library.data, library.size, &o));
    assert_true(object_segment(&o, 1, &s));
    assert_int_equal(s.address, 0x200228);
    assert_int_equal(s.file_size, 0x2e0 - 0x228);
    assert_int_equal(s.memory_size, 0x2e0 - 0x228 + 40);
    assert_int_equal(o.flags, 0);
}

/* ---- as other tools see it ---- */

static char *output_of(const char *command)
{
    char *text;
    if (support_run(command, &text) != 0)
        fail_msg("%s\n%s", command, text);
    return text;
}

static const char *path_of(const char *name)
{
    return support_printf("%s/%s", support_tmp(), name);
}

static void need_readelf(void)
{
    SUPPORT_NEED(support_run("llvm-readelf-19 --version", NULL) == 0 ? "" : NULL,
                 "llvm-readelf-19");
}

/* Address of a symbol, or else a section, by name, as LLVM's tool tells it. */
static uint64_t address_of(const char *text, const char *name)
{
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        char in[64] = "", type[32];
        uint64_t address;
        if (sscanf(line, " %*d: %" SCNx64 " %*s %*s %*s %*s %*s %63s", &address, in) == 2 &&
            strcmp(in, name) == 0)
            return address;
        if (sscanf(line, " [%*d] %63s %31s %" SCNx64, in, type, &address) == 3 &&
            strcmp(in, name) == 0)
            return address;
    }
    fail_msg("there is no '%s' in the shared object", name);
    return 0;
}

/* A line of the object's relocations, and what the shared object has there. */
struct seen {
    const char *tables;  /* of the shared object, as text */
    const uint8_t *text; /* its .text */
    uint64_t text_at, got;
    const uint8_t *got_words;
};

static void compare(const struct seen *s, uint64_t offset, const char *type, const char *name,
                    int64_t addend)
{
    bool is_got = strcmp(name, "_GLOBAL_OFFSET_TABLE_") == 0;
    uint64_t v = (is_got ? s->got : address_of(s->tables, name)) + (uint64_t)addend;
    uint64_t have = get(s->text + offset, 4);
    if (strncmp(type, "R_VE_PC_", 8) == 0 || strncmp(type, "R_VE_PLT_", 9) == 0)
        v -= s->text_at + offset;
    else if (strncmp(type, "R_VE_GOTOFF_", 12) == 0)
        v -= s->got;
    else if (strcmp(type, "R_VE_GOT_LO32") == 0)
        have = get(s->got_words + have, 8); /* by way of the table */
    else if (strcmp(type, "R_VE_GOT_HI32") == 0)
        v = 0;
    else
        fail_msg("%s is not thought of here", type);
    if (strstr(type, "_HI32"))
        v >>= 32;
    else if (strcmp(type, "R_VE_GOT_LO32") != 0)
        v &= UINT32_MAX;
    if (v != have)
        fail_msg("%s of %s at 0x%" PRIx64 ": 0x%" PRIx64 ", not 0x%" PRIx64, type, name, offset,
                 have, v);
}

static struct object_section section_of(const struct object *o, const char *name)
{
    struct object_section s;
    for (uint32_t i = 1; object_section(o, i, &s); i++)
        if (strcmp(s.name, name) == 0)
            return s;
    fail_msg("there is no section '%s'", name);
    return s;
}

/* Names, symbols and addends by LLVM's tool, formulas by their names. */
static void relocations_agree_with_llvm(void **state)
{
    (void)state;
    need_readelf();
    struct bytes object = program(), library = linked(object);
    support_write_file(path_of("a.o"), object.data, object.size);
    support_write_file(path_of("a.so"), library.data, library.size);
    char *tables = output_of(support_printf("llvm-readelf-19 -sSW %s", path_of("a.so")));
    char *lines = output_of(support_printf(
        "llvm-readelf-19 -rW %s | sed -n '/rela.text/,/^$/p' | grep R_VE", path_of("a.o")));
    struct object o;
    assert_null(object_open(library.data, library.size, &o));
    struct object_section text = section_of(&o, ".text"), got = section_of(&o, ".got");
    struct seen s = {tables, library.data + text.offset, text.address, got.address,
                     library.data + got.offset};
    size_t n = 0;
    for (char *line = strtok(lines, "\n"); line; line = strtok(NULL, "\n"), n++) {
        uint64_t offset, addend;
        char type[32], name[64], sign;
        if (sscanf(line, "%" SCNx64 " %*s %31s %*s %63s %c %" SCNx64, &offset, type, name, &sign,
                   &addend) != 5)
            fail_msg("%s", line);
        compare(&s, offset, type, name, sign == '-' ? -(int64_t)addend : (int64_t)addend);
    }
    assert_true(n >= 30);
    free(tables);
    free(lines);
}

static void tools_read_it(void **state)
{
    (void)state;
    need_readelf();
    struct bytes library = linked(program());
    support_write_file(path_of("b.so"), library.data, library.size);
    free(output_of(support_printf("llvm-readelf-19 -aW %s 2>&1 >/dev/null | "
                                  "{ ! grep .; }",
                                  path_of("b.so"))));
    char *text = output_of(support_printf("llvm-readelf-19 -dW --dyn-syms -r %s", path_of("b.so")));
    assert_non_null(strstr(text, "Library soname: [libtest.so]"));
    assert_null(strstr(text, "TEXTREL"));
    assert_non_null(strstr(text, "R_VE_RELATIVE"));
    assert_null(strstr(text, "aside"));
    assert_non_null(strstr(text, "visible"));
    free(text);
    text = output_of(support_printf("llvm-objdump-19 -d %s", path_of("b.so")));
    /* Functions that others do not see have names for people. */
    assert_non_null(strstr(text, "<twice>:"));
    assert_non_null(strstr(text, "<aside>:"));
    assert_null(strstr(text, "unknown"));
    free(text);
    if (support_run("readelf --version", NULL) == 0)
        free(output_of(support_printf("LC_ALL=C readelf -aW %s 2>&1 | { ! grep -iE 'warn|error'; }",
                                      path_of("b.so"))));
}

/* ---- what is refused ---- */

static void refuses(struct bytes object, const char *want)
{
    struct bytes library = {NULL, 77};
    error_init(&err);
    if (ve_shared_make(&arena, "libtest.so", object, &library, &err))
        fail_msg("it is not refused: %s", want);
    assert_string_equal(err.text, want);
    assert_int_equal(library.size, 77);
}

static void refuses_ir(const char *ir, const char *want)
{
    refuses(ve_object(&arena, ir, LLVMRelocPIC), support_printf("libtest.so: %s", want));
}

static void what_is_refused(void **state)
{
    (void)state;
    refuses_ir("declare i64 @far(i64)\n"
               "define i64 @f(i64 %x) {\n  %r = call i64 @far(i64 %x)\n  ret i64 %r\n}\n",
               "'far' is not defined in it, and there is nothing else to link");
    refuses_ir("@own = thread_local(localexec) global i64 5\n"
               "define ptr @f() {\n  ret ptr null\n}\n",
               "its section '.tdata' has data of threads");
    refuses_ir("define internal void @g() {\n  ret void\n}\n"
               "@llvm.global_ctors = appending global [1 x { i32, ptr, ptr }]"
               " [{ i32, ptr, ptr } { i32 1, ptr @g, ptr null }]\n"
               "define void @f() {\n  ret void\n}\n",
               "its section '.ctors.65534' has functions that run when it is opened or closed");
    refuses_ir("@room = global [2147483648 x i8] zeroinitializer\n"
               "define ptr @f() {\n  ret ptr @room\n}\n",
               "its sections have more than 1073741824 bytes");
    refuses_ir("@room = common global i64 0\ndefine ptr @f() {\n  ret ptr @room\n}\n",
               "symbol 'room' is in no section that is loaded");
    refuses_ir("define internal void @f() {\n  ret void\n}\n@llvm.used = appending global [1 x ptr]"
               " [ptr @f], section \"llvm.metadata\"\n",
               "it has nothing that could be called");
    refuses_ir("module asm \".section .both,\\22awx\\22\"\nmodule asm \".quad 5\"\n"
               "define void @f() {\n  ret void\n}\n",
               "its section '.both' is both written and executed");
    refuses_ir("module asm \".data\"\nmodule asm \".balign 4194304\"\nmodule asm \".quad 5\"\n"
               "define void @f() {\n  ret void\n}\n",
               "its section '.data' has an alignment that pages cannot give");
    refuses_ir("module asm \".section .rodata\"\nmodule asm \".quad f\"\n"
               "define void @f() {\n  ret void\n}\n",
               "section '.rodata' has an address that a shared object cannot have (R_VE_REFQUAD): "
               "its code must be position-independent");
    refuses_ir("module asm \".data\"\nmodule asm \".long 1\"\nmodule asm \".quad f\"\n"
               "define void @f() {\n  ret void\n}\n",
               "section '.data' has an address that a shared object cannot have (R_VE_REFQUAD): "
               "its code must be position-independent");
    refuses(ve_object(&arena, VE_PROGRAM, LLVMRelocStatic),
            "libtest.so: section '.text' has an address that a shared object cannot have "
            "(R_VE_LO32): its code must be position-independent");
    refuses(linked(program()),
            "libtest.so: it is no object of the Vector Engine: it is linked already");
    refuses((struct bytes){(const uint8_t *)"nothing", 7},
            "libtest.so: it is no object of the Vector Engine: it is not in ELF format");
}

/* Sums of n vectors with one more in a loop. */
static const char *many_vectors(int n)
{
    struct strbuf ir;
    strbuf_init(&ir, &arena);
    strbuf_add(&ir, "declare <256 x double> @llvm.ve.vl.pvfadd.vvvl(<256 x double>,"
                    " <256 x double>, i32)\n"
                    "define void @sums(ptr %p, i64 %n) {\nentry:\n");
    for (int i = 0; i < n; i++)
        strbuf_printf(&ir,
                      "  %%p%d = getelementptr i8, ptr %%p, i64 %d\n"
                      "  %%v%d = load <256 x double>, ptr %%p%d\n",
                      i, i * 2048, i, i);
    strbuf_add(&ir, "  br label %loop\nloop:\n  %k = phi i64 [0, %entry], [%l, %loop]\n");
    for (int i = 0; i < n; i++)
        strbuf_printf(&ir, "  %%s%d = phi <256 x double> [%%v%d, %%entry], [%%t%d, %%loop]\n", i, i,
                      i);
    strbuf_add(&ir, "  %q = getelementptr <256 x double>, ptr %p, i64 %k\n"
                    "  %w = load volatile <256 x double>, ptr %q\n");
    for (int i = 0; i < n; i++)
        strbuf_printf(&ir,
                      "  %%t%d = call <256 x double> @llvm.ve.vl.pvfadd.vvvl(<256 x double> %%s%d,"
                      " <256 x double> %%w, i32 256)\n",
                      i, i);
    strbuf_add(&ir, "  %l = add i64 %k, 1\n  %c = icmp eq i64 %l, %n\n"
                    "  br i1 %c, label %end, label %loop\nend:\n");
    for (int i = 0; i < n; i++)
        strbuf_printf(&ir, "  store <256 x double> %%t%d, ptr %%p%d\n", i, i);
    strbuf_add(&ir, "  ret void\n}\n");
    return strbuf_text(&ir);
}

static void vectors_that_have_no_register(void **state)
{
    (void)state;
    linked(ve_object(&arena, many_vectors(63), LLVMRelocPIC));
    refuses_ir(many_vectors(64),
               "function 'sums' needs more than 64 vectors at a time, and LLVM put one into a "
               "register that cannot hold it");
}

static void other_machines_are_refused(void **state)
{
    (void)state;
    static const char source[] = "int f(void); int f(void) { return 5; }";
    support_write_file(path_of("c.c"), source, strlen(source));
    free(output_of(support_printf("%s -c -o %s %s", support_cc(), path_of("c.o"), path_of("c.c"))));
    size_t size;
    char *data = support_read_file(path_of("c.o"), &size);
    refuses((struct bytes){arena_copy(&arena, data, size), size},
            "libtest.so: it is no object of the Vector Engine: it is for another machine");
    free(data);
}

/* The program where a field of the first relocation of code is another. */
static struct bytes with_relocation(size_t field, size_t n_bytes, uint64_t value)
{
    struct bytes object = program();
    uint8_t *data = arena_copy(&arena, object.data, object.size);
    struct object o;
    assert_null(object_open(data, object.size, &o));
    memcpy(data + section_of(&o, ".rela.text").offset + field, &value, n_bytes);
    return (struct bytes){data, object.size};
}

static void damaged_relocations(void **state)
{
    (void)state;
    size_t info = offsetof(Elf64_Rela, r_info);
    refuses(with_relocation(info, 4, 99),
            "libtest.so: section '.text' has a relocation of type 99, which is unknown here");
    refuses(with_relocation(info, 4, R_VE_RELATIVE),
            "libtest.so: section '.text' has a relocation of type 17, which is unknown here");
    refuses(with_relocation(info + 4, 4, 9999), "libtest.so: symbol 9999 is malformed");
    refuses(with_relocation(offsetof(Elf64_Rela, r_offset), 8, (uint64_t)1 << 40),
            "libtest.so: a relocation is outside of its section '.text'");
    /* The table's own address is nothing to be left to the loader. */
    refuses(
        with_relocation(info, 4, R_VE_REFLONG),
        "libtest.so: '_GLOBAL_OFFSET_TABLE_' is not defined in it, and there is nothing else to "
        "link");
}

/* Whatever the bytes are, there is a library or one sentence. */
static void damaged_objects(void **state)
{
    (void)state;
    struct bytes object = program();
    uint64_t seed = 5;
    unsigned n_refused = 0;
    for (int i = 0; i < 4000; i++) {
        struct arena a;
        arena_init(&a);
        error_init(&err);
        uint8_t *data = arena_copy(&a, object.data, object.size);
        size_t size = i % 4 ? object.size : (size_t)random_below(&seed, (int)object.size);
        for (int k = 0; k < 3; k++)
            data[(size_t)random_below(&seed, (int)object.size)] = (uint8_t)random_below(&seed, 256);
        struct bytes library;
        struct object o;
        if (!ve_shared_make(&a, "libtest.so", (struct bytes){data, size}, &library, &err))
            n_refused += strncmp(err.text, "libtest.so: ", 12) == 0;
        else if (!object_open(library.data, library.size, &o))
            ve_check(&o);
        arena_done(&a);
    }
    assert_true(n_refused > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_program_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_are_those_computed_by_hand, setup, teardown),
        cmocka_unit_test_setup_teardown(relocations_agree_with_llvm, setup, teardown),
        cmocka_unit_test_setup_teardown(tools_read_it, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(vectors_that_have_no_register, setup, teardown),
        cmocka_unit_test_setup_teardown(other_machines_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_relocations, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_objects, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
