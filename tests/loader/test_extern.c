/*
 * Operators that functions of the user's compute: what becomes of their nodes in bundles and
 * libraries, on other machines and in runs within the tool, and what is refused.
 */
#include "tests/loader/extern_networks.h"

static int make_networks(void **state)
{
    (void)state;
    write_extern_net("own.onnx");
    compile("-m own.onnx " EXTERN_OPTIONS " -emit-bundle cpu");
    write_extern_functions("cpu", "own");
    return 0;
}

/* ---- bundles ---- */

/* Behind the functions: runs the network and looks at all that it gives. */
static const char *client_of(const char *folder, const char *entry, const char *upper)
{
    return support_printf(
        "#include <stdio.h>\n#include <string.h>\n#include \"%s/own.h\"\n%s"
        "SHEAF_ALIGNED(64) static uint8_t constants[%s_CONSTANT_MEM_SIZE];\n"
        "SHEAF_ALIGNED(64) static uint8_t mutables[%s_MUTABLE_MEM_SIZE];\n"
        "SHEAF_ALIGNED(64) static uint8_t activations[%s_ACTIVATIONS_MEM_SIZE];\n"
        "int main(void)\n"
        "{\n"
        "    static const float x[6] = " EXTERN_TEXT(EXTERN_INPUT) ", y[6] = " EXTERN_TEXT(
            EXTERN_OUTPUT) ";\n"
                           "    static const int32_t told[6] = " EXTERN_TEXT(
                               EXTERN_TOLD) ";\n"
                                            "    FILE *f = fopen(\"%s/own.weights\", \"rb\");\n"
                                            "    if (!f || fread(constants, 1, sizeof constants, "
                                            "f) != sizeof constants)\n"
                                            "        return 1;\n"
                                            "    memcpy(%s_get_x(mutables), x, sizeof x);\n"
                                            "    if (%s(constants, mutables, activations) != 0)\n"
                                            "        return 2;\n"
                                            "    if (memcmp(%s_get_y(mutables), y, sizeof y) != "
                                            "0)\n"
                                            "        return 3;\n"
                                            "    if (memcmp(%s_get_told(mutables), told, sizeof "
                                            "told) != 0)\n"
                                            "        return 4;\n"
                                            "    return *%s_get_count(mutables) == %d ? 0 : 5;\n"
                                            "}\n",
        folder, extern_functions, upper, upper, upper, folder, entry, entry, entry, entry, entry,
        EXTERN_COUNT);
}

/* In C99, C11 and C++, so the header is valid in each. */
static void a_bundle_calls_functions_of_the_program(void **state)
{
    (void)state;
    static const char *const more[] = {
        "",
        "-Os",
        "-convert-to-fp16",
        "-g",
#ifdef __x86_64__
        "-mcpu=x86-64,x86-64-v3",
#endif
    };
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        const char *folder = support_printf("bundle%zu", i);
        compile(
            support_printf("-m own.onnx " EXTERN_OPTIONS " %s -emit-bundle %s", more[i], folder));
        expect_client_runs(client_of(folder, "own", "OWN"), folder, "own");
    }
}

static void the_header_says_what_nodes_give_their_function(void **state)
{
    (void)state;
    static const char want[] =
        "/*\n"
        " * The operator own.Blend: the program defines this function, which is called for\n"
        " *   first\n"
        " *     inputs[0]: f32[2,3] n\n"
        " *     inputs[1]: left out\n"
        " *     inputs[2]: f32[2,3] x\n"
        " *     inputs[3]: f32[3] first.table\n"
        " *     outputs[0]: f32[2,3] f\n"
        " *     outputs[1]: i32[6] told\n"
        " *     attributes[0]: beta, floats: 0.5\n"
        " *     attributes[1]: axes, ints: 1, 2\n"
        " *     attributes[2]: mode, strings: \"up\"\n"
        " *     attributes[3]: table, a tensor: inputs[3]\n"
        " *   second\n"
        " *     inputs[0]: f32[2,3] r\n"
        " *     inputs[1]: f32[2,3] n\n"
        " *     outputs[0]: f32[2,3] y\n"
        " *     attributes[0]: beta, floats: 2\n"
        " */\n"
        "void sheaf_extern_own_Blend(const struct sheaf_extern_call *call);\n"
        "\n"
        "/*\n"
        " * The operator own.Count: the program defines this function, which is called for\n"
        " *   third\n"
        " *     inputs[0]: i64[2,<=6] where\n"
        " *     outputs[0]: i64[] count\n"
        " */\n"
        "void sheaf_extern_own_Count(const struct sheaf_extern_call *call);\n";
    char *header = support_read_file(path_of("cpu/own.h"), NULL);
    assert_non_null(header);
    if (!strstr(header, want))
        fail_msg("not in the header:\n%s%s", want, header);
    free(header);
}

static void entries_have_the_functions_in_common(void **state)
{
    (void)state;
    compile("-m own.onnx " EXTERN_OPTIONS " -main-entry-name=one -add-entry=own=own.onnx "
            "-emit-bundle both");
    char *header = support_read_file(path_of("both/own.h"), NULL);
    assert_non_null(header);
    const char *first = strstr(header, "\nvoid sheaf_extern_own_Blend(");
    assert_non_null(first);
    assert_null(strstr(first + 1, "\nvoid sheaf_extern_own_Blend("));
    free(header);
    /* The symbol N is of the first model, so the other one has one row, as its note says. */
    expect_client_runs(client_of("both", "one", "ONE"), "both", "own");
}

static void objects_for_other_machines_need_the_functions_alone(void **state)
{
    (void)state;
    static const char *const targets[] = {"thumbv7em", "thumbv6m", "riscv32", "aarch64", "armv7"};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        char *out, *errout;
        compile(support_printf("-m own.onnx " EXTERN_OPTIONS " -target=%s -emit-bundle other",
                               targets[i]));
        assert_int_equal(tool_run("-audit other/own.o", &out, &errout), 1);
        if (!strstr(out, "Needed from elsewhere: sheaf_extern_own_Blend, sheaf_extern_own_Count\n"))
            fail_msg("%s: %s", targets[i], out);
        assert_non_null(strstr(errout, "needs 2 symbols from elsewhere"));
        free(out);
        free(errout);
    }
    compile("-m own.onnx " EXTERN_OPTIONS " -target=wasm32 -emit-bundle other");
}

/* ---- branches ---- */

static struct strbuf branch_with(struct arena *a, const char *op, const char *domain)
{
    struct strbuf g, node;
    strbuf_init(&g, a);
    pb_string(&g, 2, "branch");
    onnx_node_begin(&node, a, op, "x", "inner", *domain ? "beta=3.0" : "");
    if (*domain)
        put_domain(&node, "inside");
    pb_sub(&g, 1, &node);
    onnx_output(&g, "inner", ONNX_F32, "4");
    return g;
}

static void a_branch_calls_them_where_it_is_taken(void **state)
{
    (void)state;
    struct arena a;
    struct onnx_model m;
    struct strbuf node;
    arena_init(&a);
    struct strbuf yes = branch_with(&a, "Blend", "own"), no = branch_with(&a, "Abs", "");
    onnx_begin(&m, &a, 13);
    onnx_input(&m.graph, "c", ONNX_BOOL, "");
    onnx_input(&m.graph, "x", ONNX_F32, "4");
    onnx_node_begin(&node, &a, "If", "c", "y", "");
    onnx_graph_attr(&node, "then_branch", &yes);
    onnx_graph_attr(&node, "else_branch", &no);
    pb_sub(&m.graph, 1, &node);
    onnx_output(&m.graph, "y", ONNX_F32, "4");
    finish_net(&m, "choice.onnx");
    arena_done(&a);
    compile("-m choice.onnx -extern-op=own.Blend -emit-bundle cpu");
    run_or_fail(
        support_printf("cd '%s/cpu' && ld -r choice.o ../own.o -o both.o && mv both.o choice.o",
                       support_tmp()),
        NULL);
    struct linked_entry o = open_entry("cpu/choice", "choice");
    for (int taken = 0; taken < 2; taken++) {
        float *x = tensor_of(&o, "x"), *y = tensor_of(&o, "y");
        *(uint8_t *)tensor_of(&o, "c") = (uint8_t)taken;
        for (int i = 0; i < 4; i++)
            x[i] = (float)-i;
        assert_int_equal(o.entry(o.constants, o.mutables, o.activations), SHEAF_OK);
        for (int i = 0; i < 4; i++)
            assert_true(y[i] == (float)(taken ? -3 * i : i));
    }
}

/* ---- libraries ---- */

static const char library_client[] =
    "#include <string.h>\n"
    "#include \"LIB.h\"\n"
    "int main(void)\n"
    "{\n"
    "    static const float x[6] = " EXTERN_TEXT(EXTERN_INPUT) ", want[6] = " EXTERN_TEXT(
        EXTERN_OUTPUT) ";\n"
                       "    float y[6];\n"
                       "    int32_t told[6];\n"
                       "    int64_t count;\n"
                       "    if (own_run(NULL, x, y, told, &count) != 0)\n"
                       "        return 1;\n"
                       "    return memcmp(y, want, sizeof y) == 0 && count == 10 ? 0 : 2;\n"
                       "}\n";

static void build_client(const char *sources, const char *library)
{
    run_or_fail(support_printf("cd '%s' && %s -std=c99 -Wall -Wextra -Wpedantic -Werror -Ilib "
                               "%s lib/%s -Wl,-rpath,'$ORIGIN/lib' -o main && ./main",
                               support_tmp(), support_cc(), sources, library),
                NULL);
}

/* From the program, or from an object that the library takes in. */
static void libraries_find_the_functions(void **state)
{
    (void)state;
    const char *functions = support_printf("#include \"LIB.h\"\n%s", extern_functions);
    support_write_file(path_of("client.c"), library_client, sizeof library_client - 1);
    support_write_file(path_of("functions.c"), functions, strlen(functions));
    static const char *const kinds[] = {"static", "shared"};
    for (size_t i = 0; i < 2; i++) {
        const char *args = support_printf("-m own.onnx " EXTERN_OPTIONS " -emit-lib=%s "
                                          "-lib-name=libown -func-name=own -path=lib",
                                          kinds[i]);
        const char *library = i ? "libown.so" : "libown.a";
        char *said = tool_said(args);
        assert_non_null(strstr(
            said, "and with your functions sheaf_extern_own_Blend, sheaf_extern_own_Count."));
        free(said);
        run_or_fail(support_printf("cd '%s/lib' && cp libown.h LIB.h", support_tmp()), NULL);
        build_client("client.c functions.c", library);
        said = tool_said(support_printf("%s -bundle-objects=own.o", args));
        assert_null(strstr(said, "sheaf_extern_own_Blend"));
        free(said);
        build_client("client.c", library);
    }
}

/* ---- runs within the tool ---- */

static void write_input(void)
{
    static const float x[] = {EXTERN_INPUT};
    support_write_file(path_of("x.bin"), (const char *)x, sizeof x);
}

static void the_tool_calls_them_too(void **state)
{
    (void)state;
    static const char *const how[] = {"", "-interpreter"};
    static const float want[] = {EXTERN_OUTPUT};
    write_input();
    for (size_t i = 0; i < 2; i++) {
        tool_must_run(support_printf("-m own.onnx " EXTERN_OPTIONS " -extern-library=own.so %s "
                                     "-input x=x.bin -output y=y.bin",
                                     how[i]));
        size_t n;
        char *y = support_read_file(path_of("y.bin"), &n);
        assert_int_equal(n, sizeof want);
        assert_memory_equal(y, want, n);
        free(y);
    }
    char *said = tool_said("-m own.onnx " EXTERN_OPTIONS " -extern-library=own.so -verify");
    assert_non_null(strstr(said, "kernels agree with the evaluator"));
    free(said);
    tool_must_run("-m own.onnx " EXTERN_OPTIONS " -extern-library=own.so -input x=x.bin "
                  "-dump-profile own.yml");
    tool_must_run("-m own.onnx " EXTERN_OPTIONS " -load-profile own.yml -emit-bundle quantized");
}

/* ---- Caffe2 ---- */

static void write_caffe2(const char *folder)
{
    struct arena a;
    struct strbuf net, init;
    arena_init(&a);
    strbuf_init(&net, &a);
    strbuf_init(&init, &a);
    pb_string(&net, 1, "net");
    pb_string(&init, 1, "init");
    caffe2_op(&net, "Blend", "x", "f,told", "beta=0.5 axes=[1,2] mode='up'");
    caffe2_op(&net, "Relu", "f", "f", "");
    caffe2_op(&net, "Softmax", "f", "y", "");
    caffe2_external(&net, "x", "y,told");
    run_or_fail(support_printf("mkdir -p '%s'", path_of(folder)), NULL);
    support_write_file(path_of(support_printf("%s/predict_net.pb", folder)), strbuf_text(&net),
                       net.len);
    support_write_file(path_of(support_printf("%s/init_net.pb", folder)), strbuf_text(&init),
                       init.len);
    arena_done(&a);
}

static const char caffe2_functions[] =
    "void sheaf_extern_Blend(const struct sheaf_extern_call *c)\n"
    "{\n"
    "    sheaf_extern_own_Blend(c);\n"
    "}\n"
    "void sheaf_extern_Softmax(const struct sheaf_extern_call *c)\n"
    "{\n"
    "    *(float *)c->outputs[0].data = 42;\n"
    "}\n";

/* Blend is unknown; Softmax is replaced, and Sheaf knows what it gives. */
static void caffe2_nets_have_them(void **state)
{
    (void)state;
    static const char *const args = "-m c2 -model-input=x,float,[2,3] -extern-op=Blend,Softmax ";
    write_caffe2("c2");
    tool_expect_fault(support_printf("%s -emit-bundle cpu", args),
                      "node 'f': the model does not tell type and shape of 'f', output 0 of Blend: "
                      "they must be given, as in -extern-output=f,float,[DIMS]");
    compile(support_printf("%s -extern-output=f,float,[2,3] -extern-output=told,int32,[6] "
                           "-emit-bundle cpu",
                           args));
    const char *text =
        support_printf("#include \"cpu/own.h\"\n%s%s", extern_functions, caffe2_functions);
    support_write_file(path_of("c2.c"), text, strlen(text));
    run_or_fail(support_printf("cd '%s' && %s -fPIC -c c2.c -o c2.o && ld -r cpu/c2.o c2.o "
                               "-o both.o && mv both.o cpu/c2.o",
                               support_tmp(), support_cc()),
                NULL);
    struct linked_entry o = open_entry("cpu/c2", "c2");
    static const int32_t told[] = {1, 3, 12, 0, 'u', 1};
    assert_int_equal(o.entry(o.constants, o.mutables, o.activations), SHEAF_OK);
    assert_memory_equal(tensor_of(&o, "told"), told, 5 * sizeof *told);
    assert_float_equal(*(float *)tensor_of(&o, "y"), 42, 0);
}

/* ---- what is refused ---- */

static void faults_are_one_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *args, *words;
    } cases[] = {
        {"", "3 operators are not supported: 'own.Blend' (node 'first'), 'own.Blend' (node "
             "'second'), 'own.Count' (node 'third'); -extern-op=NAME makes an operator a C "
             "function that you write"},
        {"-extern-op=own.Blend", "1 operator is not supported: 'own.Count' (node 'third'); "},
        {"-extern-op=own.Blend,own.Count,own.Bland", "the model has no operator 'own.Bland', which "
                                                     "-extern-op names"},
        {"-extern-op=own.Blend,own_Blend", "the functions of 'own.Blend' and 'own_Blend' would "
                                           "both be called sheaf_extern_own_Blend"},
        {"-extern-op=own.Blend,own.Blend", "names 'own.Blend' twice"},
        {"-extern-op=Relu,ai.onnx.Relu", "names 'Relu' twice"},
        {"-extern-op=own.", "'own.' is no operator"},
        {"-extern-output=f,float,[2,3]", "option -extern-output needs -extern-op"},
        {"-extern-library=own.so", "option -extern-library needs -extern-op"},
        {"-extern-op=own.Blend -extern-output=f", "'f': a name, a type that is not quantized"},
        {"-extern-op=own.Blend -extern-output=f,int8q,1,0,[2]", "a type that is not quantized"},
        {"-extern-op=own.Blend -extern-output=f,float,[2] -extern-output=f,float,[3]",
         "names 'f' twice"},
        {EXTERN_OPTIONS " -extern-output=r,float,[2,3]",
         "'r', which -extern-output describes, is no output of an operator that -extern-op names"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        tool_expect_fault(support_printf("-m own.onnx -emit-bundle none %s", cases[i].args),
                          cases[i].words);
    tool_expect_fault("-m own.onnx " EXTERN_OPTIONS " -verify",
                      "to run the network here its function sheaf_extern_own_Blend is needed: "
                      "option -extern-library names a shared library that has it");
    tool_expect_fault("-m own.onnx " EXTERN_OPTIONS " -extern-library=none.so -verify",
                      "option -extern-library: ./none.so: ");
    tool_expect_fault("-m own.onnx -onnx-define-symbol=N,2 -extern-op=own.Blend,own.Count,Relu "
                      "-extern-library=own.so -verify",
                      "own.so: the library has no function sheaf_extern_Relu");
    tool_expect_fault("-m own.onnx '-onnx-define-symbol=N<=4' -extern-op=own.Blend,own.Count "
                      "-emit-bundle none",
                      "N");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bundle_calls_functions_of_the_program),
        cmocka_unit_test(the_header_says_what_nodes_give_their_function),
        cmocka_unit_test(entries_have_the_functions_in_common),
        cmocka_unit_test(objects_for_other_machines_need_the_functions_alone),
        cmocka_unit_test(a_branch_calls_them_where_it_is_taken),
        cmocka_unit_test(libraries_find_the_functions),
        cmocka_unit_test(the_tool_calls_them_too),
        cmocka_unit_test(caffe2_nets_have_them),
        cmocka_unit_test(faults_are_one_sentence),
    };
    return cmocka_run_group_tests(tests, make_networks, NULL);
}
