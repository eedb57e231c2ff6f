/*
 * library.h: what the tests of libraries share: small networks, libraries made of them by the tool,
 * and programs that are linked with these.
 */
#ifndef SHEAF_TESTS_LOADER_LIBRARY_H
#define SHEAF_TESTS_LOADER_LIBRARY_H

#include "tests/loader/small_networks.h"

#include "loader/deploy.h"
#include "tests/support/fixture.h"

/* Runs a command in the folder of this test; *out_text may be NULL. */
static inline int lib_run(const char *command, char **out_text)
{
    return support_run(support_printf("cd '%s' && %s", support_tmp(), command), out_text);
}

static inline void lib_must_run(const char *command, const char *want)
{
    char *text;
    int status = lib_run(command, &text);
    if (status != 0)
        fail_msg("exit status %d of: %s\n%s", status, command, text);
    if (want)
        assert_string_equal(text, want);
    free(text);
}

static inline bool lib_has_program(const char *name)
{
    return support_run(support_printf("command -v %s >/dev/null", name), NULL) == 0;
}

/* ---- networks ---- */

/* y = relu(x + w), w = 0 .. 7: a network with weights. */
static inline void lib_write_one(void)
{
    struct onnx_model m;
    onnx_begin(&m, &arena, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "2,8");
    onnx_ints(&m.graph, "i", "8", "0,1,2,3,4,5,6,7");
    onnx_node(&m.graph, "Cast", "i", "w", "to=1");
    onnx_node(&m.graph, "Add", "x,w", "s", "");
    onnx_node(&m.graph, "Relu", "s", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "2,8");
    finish_net(&m, "one.onnx");
}

/* sum = a b + b's first row, and where each of its rows is largest.  The names are no parameters in
   C as they stand. */
static inline void lib_write_two(void)
{
    struct onnx_model m;
    onnx_begin(&m, &arena, 13);
    onnx_input(&m.graph, "ctx", ONNX_F32, "2,4");
    onnx_input(&m.graph, "in/b", ONNX_F32, "4,3");
    onnx_node(&m.graph, "MatMul", "ctx,in/b", "int64_t", "");
    onnx_node(&m.graph, "ArgMax", "int64_t", "top:1", "axis=1 keepdims=0");
    onnx_output(&m.graph, "int64_t", ONNX_F32, "2,3");
    onnx_output(&m.graph, "top:1", ONNX_I64, "2");
    finish_net(&m, "two.onnx");
}

/* Where x is not zero: how many that are is known after a run. */
static inline void lib_write_sized(void)
{
    struct onnx_model m;
    onnx_begin(&m, &arena, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "2,5");
    onnx_node(&m.graph, "NonZero", "x", "places", "");
    onnx_node(&m.graph, "Neg", "x", "y", "");
    onnx_output(&m.graph, "places", ONNX_I64, "2,n");
    onnx_output(&m.graph, "y", ONNX_F32, "2,5");
    finish_net(&m, "sized.onnx");
}

static inline void lib_write_random(void)
{
    struct onnx_model m;
    onnx_begin(&m, &arena, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "8");
    onnx_node(&m.graph, "RandomUniform", "", "u", "shape=[8] dtype=1");
    onnx_node(&m.graph, "Add", "x,u", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "8");
    finish_net(&m, "random.onnx");
}

/* next = x + sum, for -bind=next=sum.  The outputs are not in the order of the nodes. */
static inline void lib_write_state(void)
{
    struct onnx_model m;
    onnx_begin(&m, &arena, 13);
    onnx_input(&m.graph, "sum", ONNX_F32, "4");
    onnx_input(&m.graph, "x", ONNX_F32, "4");
    onnx_node(&m.graph, "Add", "x,sum", "next", "");
    onnx_node(&m.graph, "Neg", "next", "a", "");
    onnx_node(&m.graph, "Abs", "a", "b", "");
    onnx_output(&m.graph, "next", ONNX_F32, "4");
    onnx_output(&m.graph, "b", ONNX_F32, "4");
    onnx_output(&m.graph, "a", ONNX_F32, "4");
    finish_net(&m, "state.onnx");
}

/* The path of a trained network; in.bin is an input for it, want.bin what the tool makes of that
   with these options, in this environment. */
static inline const char *lib_trained(const char *environment, const char *options)
{
    const char *model = support_model("onnx-mnist_8/model.onnx");
    SUPPORT_NEED(model, "models/onnx-mnist_8");
    model = tool_absolute(model);
    float in[28 * 28];
    for (int i = 0; i < 28 * 28; i++)
        in[i] = (float)(i * 37 % 256);
    support_write_file(path_of("in.bin"), in, sizeof in);
    const char *command =
        support_printf("%s '%s' %s -m '%s' -input=Input3=in.bin -output=Plus214_Output_0=want.bin",
                       environment, tool_absolute(support_loader()), options, model);
    lib_must_run(command, NULL);
    return model;
}

static inline int lib_setup(void **state)
{
    setup(state);
    lib_write_state();
    write_items_net(&arena);
    lib_write_one();
    lib_write_two();
    lib_write_sized();
    lib_write_random();
    return 0;
}

/* ---- libraries and programs ---- */

enum kind { SHARED, STATIC };
static const char *const KIND[] = {"shared", "static"};
static const char *const ENDING[] = {"so", "a"};

/* Writes library lib<name>, functions <name>.., of <name>.onnx into the folder `dir`; the tool says
   what to link with, `more` behind it. */
static inline void lib_make(enum kind kind, const char *name, const char *dir, const char *options,
                            const char *more)
{
    tool_expect(support_printf("-m %s.onnx -emit-lib=%s -lib-name=%s -func-name=%s -path=%s %s",
                               name, KIND[kind], name, name, dir, options),
                0,
                support_printf("Please link with:\n    -L%s\n    -l:lib%s.%s\n%s", dir, name,
                               ENDING[kind], more));
}

static inline void lib_deploy(enum kind kind, const char *name, const char *dir,
                              const char *options)
{
    lib_make(kind, name, dir, options, "");
}

/* The linker's option for it. */
static inline const char *lib_of(enum kind kind, const char *name)
{
    return support_printf("-l:lib%s.%s", name, ENDING[kind]);
}

/* sheaf_deploy with these options writes the same static library of one.onnx as the tool has
   written to the folder `tool`, and says `libraries` the same. */
static inline void lib_expect_same_of_function(struct sheaf_deploy_options *o,
                                               const char *libraries)
{
    char said[1024];
    o->struct_size = sizeof *o;
    o->target = "static_lib";
    o->model = path_of("one.onnx");
    o->lib_name = "libone";
    o->func_name = "one";
    o->path = path_of("call");
    if (sheaf_deploy(o, said, sizeof said) != SHEAF_OK)
        fail_msg("%s", said);
    assert_string_equal(said,
                        support_printf("Please link with:\n    -L%s\n%s", o->path, libraries));
    lib_must_run("cmp tool/libone.a call/libone.a && cmp tool/libone.h call/libone.h", "");
}

static const char STRICT[] = "-Wall -Wextra -Wpedantic -Wconversion -Werror";

/* Compiles a program against the libraries lib<name> of `dir`; the file is dir/main. */
static inline void lib_build(const char *compiler, const char *source, const char *text,
                             const char *dir, const char *libraries)
{
    support_write_file(path_of(source), text, strlen(text));
    lib_must_run(support_printf("%s %s -I%s %s -o %s/main -L%s %s -Wl,-rpath,'$ORIGIN' -pthread",
                                compiler, STRICT, dir, source, dir, dir, libraries),
                 NULL);
}

#define CHECK_MACRO                                                                                \
    "#include <stdio.h>\n"                                                                         \
    "#include <stdlib.h>\n"                                                                        \
    "#include <string.h>\n"                                                                        \
    "#define CHECK(x) do { if (!(x)) { printf(\"line %d: %s\\n\", __LINE__, #x); exit(1); } } "    \
    "while (0)\n"

/* Behind it, for programs with threads: work(&number) in n of them, which have numbers from 0. */
#define THREADS_MACRO                                                                              \
    "#include <pthread.h>\n"                                                                       \
    "static void run_threads(int n, void *(*work)(void *))\n"                                      \
    "{\n"                                                                                          \
    "    pthread_t thread[16];\n"                                                                  \
    "    int number[16];\n"                                                                        \
    "    CHECK(n <= 16);\n"                                                                        \
    "    for (int i = 0; i < n; i++) {\n"                                                          \
    "        number[i] = i;\n"                                                                     \
    "        CHECK(pthread_create(&thread[i], NULL, work, &number[i]) == 0);\n"                    \
    "    }\n"                                                                                      \
    "    for (int i = 0; i < n; i++)\n"                                                            \
    "        pthread_join(thread[i], NULL);\n"                                                     \
    "}\n"

#endif
