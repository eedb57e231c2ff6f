/*
 * test_emitted.c: an emitted bundle as its users meet it: as a shared library through the runtime,
 * and linked into a C program that knows only its header.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bundle/write/bundle.h"
#include "bundle/write/names.h"
#include "cpu_runtime/codegen/cpu_target.h"
#include "cpu_runtime/cpu_runtime.h"
#include "ir/passes/passes.h"
#include "tests/support/support.h"

/* A constant that is packed, an extent known at run time, and state. */
static const char network[] = "graph \"probe\" {\n"
                              "  input %data/0 f32 [2,4]\n"
                              "  const %w f32 [4,3] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}\n"
                              "  state %draws u64 [2]\n"
                              "  %y f32 [2,3] = matmul (%data/0, %w)\n"
                              "  %where i64 [2,8:%n], %n i64 [] = non_zero (%data/0)\n"
                              "  %noise f32 [4] = random_uniform (%draws) {shape=[4]}\n"
                              "  return %y, %where, %noise\n"
                              "}\n";

static struct arena arena;
static const char *dir; /* where probe.o, .weights and .h lie */

/* For a processor that every x86-64 machine has; elsewhere for this one. */
static const char *processor(void)
{
#if defined(__x86_64__)
    return "x86-64";
#else
    return "native";
#endif
}

static bool emit(struct error *err)
{
    struct cpu_target_options options = {.cpu = processor()};
    const struct target *target;
    struct graph *g = graph_parse(&arena, network, err);
    if (!g || !cpu_target_create(&arena, &options, &target, err) || !graph_infer(g, err) ||
        !passes_run(g, &(struct pass_options){.target = target}, err))
        return false;
    struct program *p = program_build(&arena, g, err);
    if (!p)
        return false;
    struct emit_schedules *schedules = emit_schedule(&arena, p, target);
    plan_program(p, false);
    struct emit_part part = {p, target, schedules};
    struct emit_entry entry = {.name = "probe", .model = "probe.txt", .parts = &part, .n_parts = 1};
    entry.symbols = names_symbols(&arena, &part, 1, &entry.n_symbols);
    struct bundle_request files = {.dir = dir,
                                   .name = "probe",
                                   .entries = &entry,
                                   .n_entries = 1,
                                   .weights = weights_make(&arena, p)};
    struct emit_request request = {.source = "probe", .entries = &entry, .n_entries = 1};
    memcpy(request.weights_digest, files.weights.digest, sizeof request.weights_digest);
    struct emit_result code;
    if (!emit_object(&arena, &request, false, &code, err))
        return false;
    files.object = code.object;
    return bundle_write(&arena, &files, err);
}

static int setup(void **state)
{
    (void)state;
    struct error err;
    error_init(&err);
    arena_init(&arena);
    dir = support_printf("%s/emitted", support_tmp());
    if (!emit(&err)) {
        print_error("%s\n", err.text);
        return 1;
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static void run_or_fail(const char *command)
{
    char *out;
    int code = support_run(command, &out);
    if (code != 0)
        fail_msg("%s: exit code %d\n%s", command, code, out);
    free(out);
}

static struct sheaf_tensor_desc tensor(const sheaf_bundle *b, const char *name)
{
    struct sheaf_tensor_desc t;
    struct sheaf_error err;
    if (sheaf_tensor(b, name, &t, &err) != SHEAF_OK)
        fail_msg("%s", err.text);
    return t;
}

static const float input[8] = {1, 0, 0, 0, 0, 2, 0, -1};
static const float want_y[6] = {1, 2, 3, -2, -1, 0};
static const int64_t want_where[6] = {0, 1, 1, 0, 1, 3};

static void check_run(sheaf_bundle *b)
{
    struct sheaf_error err;
    memcpy(tensor(b, "data/0").data, input, sizeof input);
    assert_int_equal(sheaf_run(b, &err), SHEAF_OK);
    assert_memory_equal(tensor(b, "data/0").data, input, sizeof input);
    assert_memory_equal(tensor(b, "y").data, want_y, sizeof want_y);
    struct sheaf_tensor_desc where = tensor(b, "where");
    assert_int_equal(where.rank, 2);
    assert_int_equal(where.dims[0], 2);
    assert_int_equal(where.dims[1], 3);
    assert_int_equal(where.dtype, SHEAF_INT64);
    assert_int_equal(where.size_bytes, sizeof want_where);
    assert_memory_equal(where.data, want_where, sizeof want_where);
}

static void test_shared_library(void **state)
{
    (void)state;
    const char *library = support_printf("%s/libprobe.so", dir);
    const char *weights = support_printf("%s/probe.weights", dir);
    run_or_fail(support_printf("%s -shared '%s/probe.o' -o '%s'", support_cc(), dir, library));
    sheaf_bundle *a = NULL, *b = NULL;
    struct sheaf_error err;
    if (sheaf_open(library, "probe", weights, &a, &err) != SHEAF_OK)
        fail_msg("%s", err.text);
    const struct sheaf_bundle_info *info = sheaf_info(a);
    assert_string_equal(info->name, "probe");
    assert_string_equal(info->cpu, processor());
    check_run(a);

    float first[4], second[4];
    memcpy(first, tensor(a, "noise").data, sizeof first);
    assert_int_equal(sheaf_attach(a, &b, &err), SHEAF_OK);
    check_run(b);
    assert_memory_equal(tensor(b, "noise").data, first, sizeof first);
    check_run(b);
    memcpy(second, tensor(b, "noise").data, sizeof second);
    assert_memory_not_equal(first, second, sizeof first);
    sheaf_reset_state(b);
    check_run(b);
    assert_memory_equal(tensor(b, "noise").data, first, sizeof first);
    sheaf_close(a);
    sheaf_close(b);
}

/* The client's view: constants of the header against those of the object, then a run. */
static const char client[] =
    "#include <stdio.h>\n"
    "#include <string.h>\n"
    "#include \"probe.h\"\n"
    "SHEAF_ALIGNED(PROBE_MEM_ALIGN) static uint8_t c[PROBE_CONSTANT_MEM_SIZE];\n"
    "SHEAF_ALIGNED(PROBE_MEM_ALIGN) static uint8_t m[PROBE_MUTABLE_MEM_SIZE];\n"
    "SHEAF_ALIGNED(PROBE_MEM_ALIGN) static uint8_t a[PROBE_ACTIVATIONS_MEM_SIZE];\n"
    "static size_t find(const char *name)\n"
    "{\n"
    "    size_t i = 0;\n"
    "    while (i < probe_config.numSymbols &&\n"
    "           strcmp(probe_config.symbolTable[i].name, name) != 0)\n"
    "        i++;\n"
    "    return i;\n"
    "}\n"
    "#define CHECK(x) do { if (!(x)) { printf(\"%s\\n\", #x); return 1; } } while (0)\n"
    "#define SAME(name)                                                                     \\\n"
    "    CHECK(find(#name) < probe_config.numSymbols);                                      \\\n"
    "    CHECK(probe_config.symbolTable[find(#name)].offset == PROBE_##name);               \\\n"
    "    CHECK(probe_config.symbolTable[find(#name)].size == PROBE_ELEMS_##name);           \\\n"
    "    CHECK(probe_config.symbolTable[find(#name)].kind == 1);                            \\\n"
    "    CHECK(probe_info.symbols[find(#name)].size_bytes == PROBE_BYTES_##name)\n"
    "int main(int argc, char **argv)\n"
    "{\n"
    "    static const float x[8] = {1, 0, 0, 0, 0, 2, 0, -1};\n"
    "    FILE *f = argc > 1 ? fopen(argv[1], \"rb\") : NULL;\n"
    "    CHECK(f && fread(c, 1, sizeof c, f) == sizeof c && fgetc(f) == EOF);\n"
    "    fclose(f);\n"
    "    CHECK(probe_config.constantWeightVarsMemSize == PROBE_CONSTANT_MEM_SIZE);\n"
    "    CHECK(probe_config.mutableWeightVarsMemSize == PROBE_MUTABLE_MEM_SIZE);\n"
    "    CHECK(probe_config.activationsMemSize == PROBE_ACTIVATIONS_MEM_SIZE);\n"
    "    CHECK(probe_config.alignment == PROBE_MEM_ALIGN);\n"
    "    CHECK(probe_info.config == &probe_config);\n"
    "    CHECK(probe_info.struct_size == sizeof probe_info);\n"
    "    SAME(data_0);\n"
    "    SAME(y);\n"
    "    SAME(where);\n"
    "    SAME(noise);\n"
    "    SAME(draws);\n"
    "    CHECK(strcmp(probe_info.symbols[find(\"data_0\")].original_name, \"data/0\") == 0);\n"
    "    CHECK(probe_info.symbols[find(\"data_0\")].role == SHEAF_ROLE_INPUT);\n"
    "    CHECK(probe_info.symbols[find(\"where\")].extent_offsets[1] == PROBE_EXTENT_1_where);\n"
    "    CHECK(probe_info.symbols[find(\"where\")].extent_offsets[0] == UINT64_MAX);\n"
    "    memset(a, 0xff, sizeof a);\n"
    "    memcpy(probe_get_data_0(m), x, sizeof x);\n"
    "    CHECK(probe(c, m, a) == 0);\n"
    "    CHECK(probe_extent_1_where(a) == 3);\n"
    "    CHECK(probe_get_where(m)[5] == 3);\n"
    "    CHECK(probe_get_y(m)[2] > 2.9f && probe_get_y(m)[2] < 3.1f);\n"
    "    CHECK(probe_get_noise(m)[0] >= 0 && probe_get_noise(m)[0] < 1);\n"
    "    return 0;\n"
    "}\n";

static void test_linked(void **state)
{
    (void)state;
    static const char *const compilers[] = {"cc -x c -std=c99", "cc -x c -std=c11 -no-pie",
                                            "cc -x c -std=c99 -pie -fPIE", "c++ -x c++"};
    const char *source = support_printf("%s/client.c", dir);
    support_write_file(source, client, sizeof client - 1);
    for (size_t i = 0; i < sizeof compilers / sizeof *compilers; i++)
        run_or_fail(support_printf("%s -Wall -Wextra -Werror '%s' -x none '%s/probe.o' "
                                   "-o '%s/client' && '%s/client' '%s/probe.weights'",
                                   compilers[i], source, dir, dir, dir, dir));
}

/* Not even the C library is needed. */
static void test_needs_nothing(void **state)
{
    (void)state;
    const char *source = support_printf("%s/bare.c", dir);
    static const char text[] = "#include \"probe.h\"\nvoid _start(void);\n"
                               "void _start(void) { probe(0, 0, 0); }\n";
    support_write_file(source, text, sizeof text - 1);
    run_or_fail(support_printf("%s -nostdlib -ffreestanding -static '%s' '%s/probe.o' "
                               "-o '%s/bare'",
                               support_cc(), source, dir, dir));
}

/* The same request gives the same bytes. */
static void test_reproducible(void **state)
{
    (void)state;
    run_or_fail(support_printf("cp -r '%s' '%s.first'", dir, dir));
    struct error err;
    error_init(&err);
    if (!emit(&err))
        fail_msg("%s", err.text);
    run_or_fail(support_printf("for f in o weights h; do cmp '%s'/probe.$f '%s.first'/probe.$f || "
                               "exit 1; done",
                               dir, dir));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_library),
        cmocka_unit_test(test_linked),
        cmocka_unit_test(test_needs_nothing),
        cmocka_unit_test(test_reproducible),
    };
    return cmocka_run_group_tests_name("emitted bundles", tests, setup, teardown);
}
