/*
 * library_device.h: what the tests of libraries for a device share: libraries, and programs that
 * use them in its simulator.  The file that includes it says which device that is: DEVICE.
 */
#ifndef SHEAF_TESTS_LOADER_LIBRARY_DEVICE_H
#define SHEAF_TESTS_LOADER_LIBRARY_DEVICE_H

#include "tests/loader/library.h"

struct library_device {
    const char *name, *option; /* -device=NAME, and another word for it */
    const char *simulator;     /* the library of its driver */
    const char *prelude;       /* what programs begin with */
};
static const struct library_device DEVICE;

/* The simulator is compiled as this program is, and needs the same of those that load it. */
#ifdef __SANITIZE_ADDRESS__
#define DEVICE_CHECKED " -fsanitize=address,undefined"
#else
#define DEVICE_CHECKED ""
#endif

/* As lib_deploy; a static library opens others at run time. */
static inline void device_deploy(enum kind kind, const char *name, const char *dir,
                                 const char *options)
{
    lib_make(kind, name, dir, support_printf("-device=%s %s", DEVICE.name, options),
             kind == STATIC ? "    -ldl\n" : "");
}

/* The program dir/main of the prelude and `text`. */
static inline void device_build(const char *compiler, const char *text, const char *dir,
                                const char *libraries)
{
    const char *folder = tool_absolute(support_build());
    lib_build(support_printf("%s%s -I'%s'", compiler, DEVICE_CHECKED, tool_absolute(".")),
              "program.c", support_printf("%s%s", DEVICE.prelude, text), dir,
              support_printf("%s '%s/tests/%s' -ldl", libraries, folder, DEVICE.simulator));
}

static inline void device_build_c(const char *text, const char *dir, const char *libraries)
{
    device_build(support_printf("%s -std=c11", support_cc()), text, dir, libraries);
}

/* A program of the host alone: static/main, which says what it finds of libone. */
static inline void device_build_status(const char *text)
{
    lib_build(support_printf("%s -std=c11%s", support_cc(), DEVICE_CHECKED), "status.c", text,
              "static", "-l:libone.a -ldl");
}

/* A command that gets the simulator. */
static inline const char *device_simulated(const char *command)
{
    return support_printf("LD_LIBRARY_PATH='%s/tests' %s", tool_absolute(support_build()), command);
}

static inline void device_must_run(const char *environment, const char *dir, const char *want)
{
    lib_must_run(device_simulated(support_printf("%s %s/main", environment, dir)), want);
}

/* `want` is part of what static/main prints. */
static inline void device_expect_status(const char *environment, const char *args, const char *want)
{
    char *out;
    const char *command = support_printf("%s static/main %s", environment, args);
    lib_run(support_printf("ulimit -c 0; %s 2>&1", device_simulated(command)), &out);
    if (!strstr(out, want))
        fail_msg("'%s' '%s': %s, not: %s", environment, args, out, want);
    free(out);
}

/* Without a status there is no other way, and nothing is said. */
static inline void device_expect_abort(void)
{
    lib_must_run("(ulimit -c 0; LD_LIBRARY_PATH=/nowhere static/main >/dev/null; [ $? = 134 ]) "
                 "2>&1",
                 NULL);
}

/* ---- what programs of all devices are tested with ---- */

/* The program of the deployment text, with libone, in C and C++. */
static inline void device_expect_text(const char *program)
{
    bool cxx = lib_has_program("g++");
    for (enum kind kind = SHARED; kind <= STATIC; kind++) {
        const char *one = lib_of(kind, "one");
        device_deploy(kind, "one", KIND[kind], "");
        device_build(support_printf("%s -std=c99", support_cc()), program, KIND[kind], one);
        device_must_run("", KIND[kind], "");
        if (!cxx)
            continue;
        device_build("g++ -std=c++11 -x c++", program, KIND[kind],
                     support_printf("-x none %s", one));
        device_must_run("", KIND[kind], "");
    }
    if (!cxx)
        print_message("left out for want of g++\n");
}

/* A program with libtwo.  Returns its header, which the caller frees. */
static inline char *device_expect_two(const char *program)
{
    for (enum kind kind = SHARED; kind <= STATIC; kind++) {
        device_deploy(kind, "two", KIND[kind], "");
        device_build_c(program, KIND[kind], lib_of(kind, "two"));
        device_must_run("", KIND[kind], "");
    }
    char *header = support_read_file(path_of("static/libtwo.h"), NULL);
    assert_non_null(strstr(header, "void two(void *ctx, const float *L0, const float *L1, "
                                   "float **L2, int64_t **L3);"));
    return header;
}

/* Programs of what a run leaves and needs. */
static inline void device_expect_runs(const char *sized, const char *items, const char *state,
                                      const char *random)
{
    const struct {
        const char *name, *program, *options;
    } cases[] = {
        {"sized", sized, ""},
        {"items", items, "'-onnx-define-symbol=n<=8'"},
        {"state", state, "-bind=next=sum"},
        {"state", state, "-bind=next=sum -overlay-io"},
        {"random", random, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        device_deploy(STATIC, cases[i].name, "static", cases[i].options);
        device_build_c(cases[i].program, "static", lib_of(STATIC, cases[i].name));
        device_must_run("", "static", "");
    }
}

/* A program with an allocator for libone, by call and, with STRONG, by name. */
static inline void device_expect_hooks(const char *program)
{
    for (enum kind kind = SHARED; kind <= STATIC; kind++) {
        device_deploy(kind, "one", KIND[kind], "");
        for (int strong = 0; strong < 2; strong++) {
            device_build(support_printf("%s -std=c11 %s", support_cc(), strong ? "-DSTRONG" : ""),
                         program, KIND[kind], lib_of(kind, "one"));
            device_must_run("", KIND[kind], "");
        }
    }
}

/* A program with libab, whose functions are first and second, one.onnx, and other, y = -x. */
static inline void device_expect_functions(const char *program)
{
    struct onnx_model m;
    onnx_begin(&m, &arena, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "8");
    onnx_node(&m.graph, "Neg", "x", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "8");
    finish_net(&m, "minus.onnx");
    tool_expect(support_printf("-m one.onnx -add-entry=second=one.onnx -add-entry=other=minus.onnx "
                               "-emit-lib=shared %s -lib-name=ab -func-name=first -path=several",
                               DEVICE.option),
                0, "Please link with:\n    -Lseveral\n    -l:libab.so\n");
    device_build_c(program, "several", "-l:libab.so");
    device_must_run("", "several", "");
}

/* shared/libone.so needs the C library, and shows `names`, a line each, and no others. */
static inline void device_expect_names(const char *names)
{
    lib_must_run("nm -D --defined-only shared/libone.so | sed 's/.* //' | LC_ALL=C sort", names);
    lib_must_run("readelf -d shared/libone.so | grep -c -e libc.so.6 -e libdl.so.2", "2\n");
    lib_must_run("readelf -d shared/libone.so | grep -c -e NEEDED", "2\n");
    lib_must_run("readelf -d shared/libone.so | grep -c -e TEXTREL || true", "0\n");
}

#endif
