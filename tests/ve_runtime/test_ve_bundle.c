/*
 * test_ve_bundle.c: the files of a bundle for the Vector Engine, for the host's runtime and for
 * programs of the engine itself.
 */
#include "tests/loader/linked_bundles.h"

#include "bundle/read/ve_check.h"
#include "bundle/write/ve_shared.h"
#include "tests/sim/ve.h"

static int write_nets(void **state)
{
    (void)state;
    write_net("net.onnx", "2", 2);
    write_net("other.onnx", "2", 3);
    compile("-m net.onnx -ve -emit-bundle b");
    compile("-m net.onnx -emit-bundle cpu");
    return 0;
}

static struct bytes read_bytes(const char *file)
{
    size_t size = 0;
    char *data = support_read_file(path_of(file), &size);
    if (!data)
        fail_msg("%s was not written", file);
    return (struct bytes){(const uint8_t *)data, size};
}

static void free_bytes(struct bytes b)
{
    union {
        const uint8_t *in;
        void *out;
    } data = {b.data};
    free(data.out);
}

/* ---- files ---- */

static void the_header_says_what_it_is_for(void **state)
{
    (void)state;
    char *text = support_read_file(path_of("b/net.h"), NULL);
    assert_non_null(text);
    assert_non_null(strstr(text, " * Device:    NEC Vector Engine (SX-Aurora TSUBASA)\n"
                                 " * Runtime:   libve_runtime (ve_runtime/ve_runtime.h), in a "
                                 "program for x86_64-unknown-linux-gnu\n"));
    assert_non_null(strstr(text, "This function returns SHEAF_ERROR_DEVICE."));
    assert_non_null(strstr(text, "uint64_t net_ve(uint64_t call);\n"));
    assert_null(strstr(text, "NVIDIA GPUs"));
    free(text);
}

static void the_header_suits_c_and_cpp(void **state)
{
    (void)state;
    expect_header_suits("b", "SHEAF_DEVICE_VE",
                        "uint64_t (*run_there)(uint64_t) = net_ve;\n"
                        "uint64_t net_ve(uint64_t call) { return call; }\n");
}

/* The library is what the host's object has inside, and what the engine's object links to. */
static void the_files_of_the_engine_are_one_code(void **state)
{
    (void)state;
    struct arena a;
    struct error err;
    struct object o;
    struct bytes object = read_bytes("b/net.ve.o"), library = read_bytes("b/net.ve.so"), linked;
    const struct sheaf_plan *p = open_entry("b/net", "net").info->plan;
    arena_init(&a);
    error_init(&err);
    assert_int_equal(p->n_images, 1);
    assert_int_equal(p->images[0].size, library.size);
    assert_memory_equal(p->images[0].data, library.data, library.size);
    if (!ve_shared_make(&a, "net.ve.so", object, &linked, &err))
        fail_msg("%s", err.text);
    assert_int_equal(linked.size, library.size);
    assert_memory_equal(linked.data, library.data, library.size);
    assert_null(object_open(library.data, library.size, &o));
    const char *why = ve_check(&o);
    if (why)
        fail_msg("%s", why);
    assert_null(object_open(object.data, object.size, &o));
    uint32_t n_undefined;
    assert_null(object_undefined(&o, &n_undefined));
    assert_true(object_defines(&o, "net_ve"));
    assert_null(object_writable(&o));
    arena_done(&a);
    free_bytes(object);
    free_bytes(library);
}

static void other_tools_can_read_them(void **state)
{
    (void)state;
    char *out;
    if (support_run("command -v readelf >/dev/null", NULL) != 0) {
        print_message("left out for want of readelf\n");
        skip();
    }
    run_or_fail(support_printf("cd '%s' && readelf -hW b/net.ve.o b/net.ve.so 2>&1", support_tmp()),
                &out);
    assert_non_null(strstr(out, "REL (Relocatable file)"));
    assert_non_null(strstr(out, "DYN (Shared object file)"));
    assert_null(strstr(out, "Warning"));
    free(out);
    run_or_fail(support_printf("cd '%s' && readelf -dW b/net.ve.so 2>&1", support_tmp()), &out);
    assert_non_null(strstr(out, "Library soname: [net.ve.so]"));
    assert_null(strstr(out, "(NEEDED)"));
    assert_null(strstr(out, "TEXTREL"));
    free(out);
    if (support_run("command -v llvm-objdump-19 >/dev/null", NULL) != 0)
        return;
    run_or_fail(support_printf("cd '%s' && llvm-objdump-19 -d b/net.ve.o", support_tmp()), &out);
    assert_non_null(strstr(out, "<net_ve>:"));
    assert_null(strstr(out, "<unknown>"));
    free(out);
}

static void names_are_those_of_the_bundle(void **state)
{
    (void)state;
    char *out;
    compile("-m net.onnx -ve -emit-bundle n -network-name=files -main-entry-name=run_it");
    run_or_fail(support_printf("cd '%s/n' && LC_ALL=C ls", support_tmp()), &out);
    assert_string_equal(out, "files.h\nfiles.o\nfiles.ve.o\nfiles.ve.so\nfiles.weights\n");
    free(out);
    char *text = support_read_file(path_of("n/files.h"), NULL);
    assert_non_null(strstr(text, "uint64_t run_it_ve(uint64_t call);\n"));
    assert_non_null(strstr(text, "linked with files.ve.o, or\n"));
    free(text);
    struct bytes library = read_bytes("n/files.ve.so");
    struct object o;
    assert_null(object_open(library.data, library.size, &o));
    assert_true(object_defines(&o, "run_it_ve"));
    free_bytes(library);
}

static void entries_are_in_one_library(void **state)
{
    (void)state;
    compile("-m net.onnx -add-entry=second=other.onnx -ve -emit-bundle two");
    struct linked_entry first = open_entry("two/net", "net"),
                        second = open_entry("two/net", "second");
    assert_int_equal(first.config->mutableWeightVarsMemSize,
                     second.config->mutableWeightVarsMemSize);
    struct bytes library = read_bytes("two/net.ve.so");
    struct object o;
    assert_null(object_open(library.data, library.size, &o));
    assert_true(object_defines(&o, "net_ve") && object_defines(&o, "second_ve"));
    free_bytes(library);
    tool_expect_fault("-m net.onnx -add-entry=net_ve=other.onnx -ve -emit-bundle c",
                      "'net_ve' is a name that the function 'net' brings with it");
}

static void the_same_gives_the_same_bytes(void **state)
{
    (void)state;
    compile("-m net.onnx -ve -emit-bundle again");
    compile("-m net.onnx -device=ve -emit-bundle word");
    run_or_fail(support_printf("cd '%s' && diff -r again word && cmp b/net.ve.o again/net.ve.o && "
                               "cmp b/net.ve.so again/net.ve.so && cmp b/net.o again/net.o",
                               support_tmp()),
                NULL);
}

/* They appear together or not at all. */
static void a_fault_leaves_no_file(void **state)
{
    (void)state;
    char *out;
    run_or_fail(support_printf("mkdir -p '%s/none/net.ve.so'", support_tmp()), NULL);
    tool_expect_fault("-m net.onnx -ve -emit-bundle none", "none/net.ve.so: cannot write the file");
    run_or_fail(support_printf("cd '%s/none' && ls", support_tmp()), &out);
    assert_string_equal(out, "net.ve.so\n");
    free(out);
}

/* ---- a program of the engine ---- */

struct native {
    struct sim_ve *ve;
    uint64_t area[3];
    uint64_t barrier;
};

static uint64_t put(struct native *n, const void *from, size_t bytes)
{
    struct error err;
    uint8_t *zeros = calloc(1, bytes + 1);
    /* What malloc gives there is aligned to 16 bytes. */
    uint64_t at = (sim_ve_alloc(n->ve, bytes + 64) + 63) / 64 * 64;
    error_init(&err);
    if (!sim_ve_write(n->ve, at, from ? from : zeros, bytes, &err))
        fail_msg("%s", err.text);
    free(zeros);
    return at;
}

/* As docs/ve.md says a program there is to call it, in so many cores. */
static void call_natively(struct native *n, uint64_t function, uint64_t n_ranks)
{
    struct sim_ve_context *core[SHEAF_VE_MAX_RANKS];
    for (uint64_t rank = 0; rank < n_ranks; rank++) {
        const struct sheaf_ve_call call = {.constants = n->area[0],
                                           .mutables = n->area[1],
                                           .activations = n->area[2],
                                           .rank = rank,
                                           .n_ranks = n_ranks,
                                           .barrier = n->barrier};
        uint64_t at = put(n, &call, sizeof call);
        core[rank] = sim_ve_open(n->ve, 0);
        assert_non_null(core[rank]);
        sim_ve_call(core[rank], function, &at, 1);
    }
    sim_ve_run(n->ve, NULL, 0);
    for (uint64_t rank = 0; rank < n_ranks; rank++) {
        if (sim_ve_state(core[rank]) != SIM_VE_DONE)
            fail_msg("%s", sim_ve_fault(core[rank]));
        assert_int_equal(sim_ve_result(core[rank]), SHEAF_OK);
        sim_ve_close(core[rank]);
    }
}

static void run_natively(const char *file, uint64_t n_ranks)
{
    struct error err;
    struct linked_entry cpu = entry_of("cpu", "net"), ve = entry_of("b", "net");
    struct bytes code = read_bytes(file), weights = read_bytes("b/net.weights");
    const struct BundleConfig *c = ve.config;
    struct native n = {.ve = sim_ve_create(1 << 28)};
    error_init(&err);
    struct sim_ve_library *library = sim_ve_load(n.ve, file, code.data, code.size, &err);
    if (!library)
        fail_msg("%s", err.text);
    uint8_t *mutables = calloc(1, c->mutableWeightVarsMemSize);
    fill_input((void *)(mutables + ((uint8_t *)tensor_of(&ve, "x") - ve.mutables)), 3);
    fill_input(tensor_of(&cpu, "x"), 3);
    assert_int_equal(cpu.entry(cpu.constants, cpu.mutables, cpu.activations), SHEAF_OK);
    assert_int_equal(weights.size, c->constantWeightVarsMemSize);
    n.area[0] = put(&n, weights.data, weights.size);
    n.area[1] = put(&n, mutables, c->mutableWeightVarsMemSize);
    n.area[2] = put(&n, NULL, c->activationsMemSize);
    n.barrier = put(&n, NULL, SHEAF_VE_BARRIER_BYTES);
    for (int round = 0; round < 2; round++)
        call_natively(&n, sim_ve_symbol(n.ve, library, "net_ve"), n_ranks);
    if (!sim_ve_read(n.ve, mutables, n.area[1], c->mutableWeightVarsMemSize, &err))
        fail_msg("%s", err.text);
    assert_memory_equal(mutables + ((uint8_t *)tensor_of(&ve, "y") - ve.mutables),
                        tensor_of(&cpu, "y"), N_ROWS * N_OUT * sizeof(float));
    free(mutables);
    free_bytes(code);
    free_bytes(weights);
    sim_ve_destroy(n.ve);
}

static void programs_of_the_engine_call_it(void **state)
{
    (void)state;
    run_natively("b/net.ve.o", 1);
    run_natively("b/net.ve.so", 1);
    run_natively("b/net.ve.so", 3);
}

/* The program of docs/ve.md, as far as a compiler of this processor can tell. */
static void the_program_of_the_manual_compiles(void **state)
{
    (void)state;
    struct arena a;
    struct onnx_model m;
    char *text = support_read_file(support_printf("%s/docs/ve.md", support_source()), NULL);
    const char *begin = text ? strstr(text, "```c\n#include <stdio.h>") : NULL;
    const char *end = begin ? strstr(begin, "\n```\n") : NULL;
    assert_non_null(end);
    begin += strlen("```c\n");
    support_write_file(path_of("native.c"), begin, (size_t)(end - begin) + 1);
    free(text);
    arena_init(&a);
    onnx_begin(&m, &a, 13);
    onnx_input(&m.graph, "gpu_0/data", ONNX_F32, "4");
    put_weights(&m.graph, "w", "4", 4, 1);
    onnx_node(&m.graph, "Add", "gpu_0/data,w", "gpu_0/softmax", "");
    onnx_output(&m.graph, "gpu_0/softmax", ONNX_F32, "4");
    finish_net(&m, "resnet50.onnx");
    arena_done(&a);
    compile("-m resnet50.onnx -ve -emit-bundle manual");
    run_or_fail(support_printf("cd '%s' && %s -std=c99 -Wall -Wextra -Wpedantic -Wconversion "
                               "-Werror -Imanual -c native.c",
                               support_tmp(), support_cc()),
                NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_header_says_what_it_is_for),
        cmocka_unit_test(the_header_suits_c_and_cpp),
        cmocka_unit_test(the_files_of_the_engine_are_one_code),
        cmocka_unit_test(other_tools_can_read_them),
        cmocka_unit_test(names_are_those_of_the_bundle),
        cmocka_unit_test(entries_are_in_one_library),
        cmocka_unit_test(the_same_gives_the_same_bytes),
        cmocka_unit_test(a_fault_leaves_no_file),
        cmocka_unit_test(programs_of_the_engine_call_it),
        cmocka_unit_test(the_program_of_the_manual_compiles),
    };
    return cmocka_run_group_tests(tests, write_nets, NULL);
}
