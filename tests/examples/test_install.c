/*
 * test_install.c: what `meson install` puts in place is enough to compile against.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/support.h"

/* The tree, made once. */
static const char *tree;

static void must_run(const char *command)
{
    char *text;
    if (support_run(command, &text) != 0)
        fail_msg("%s\n%s", command, text);
    free(text);
}

static int install(void **state)
{
    (void)state;
    tree = support_printf("%s/tree", support_tmp());
    must_run(support_printf("DESTDIR=%s meson install -C %s --no-rebuild", tree, support_build()));
    return 0;
}

static const char runtime_program[] = "#include \"bundle/bundle.h\"\n"
                                      "#include \"cpu_runtime/cpu_runtime.h\"\n"
                                      "int main(void) { sheaf_close(0); return SHEAF_OK; }\n";

static const char gpu_program[] = "#include \"gpu_runtime/gpu_runtime.h\"\n"
                                  "int main(void) {\n"
                                  "    sheaf_close(0);\n"
                                  "    return sheaf_attach(0, 0, 0) != SHEAF_ERROR_ARGUMENT; }\n";

static const char ve_program[] = "#include \"ve_runtime/ve_runtime.h\"\n"
                                 "int main(void) {\n"
                                 "    sheaf_close(0);\n"
                                 "    return sheaf_attach(0, 0, 0) != SHEAF_ERROR_ARGUMENT; }\n";

static const char compiler_program[] = "#include <stdio.h>\n"
                                       "#include \"loader/loader.h\"\n"
                                       "int main(void) {\n"
                                       "    char *args[] = {\"loader\", \"-version\", 0};\n"
                                       "    return sheaf_loader_main(2, args, stdout, stderr); }\n";

static const char *write_program(const char *name, const char *text)
{
    const char *path = support_printf("%s/%s", support_tmp(), name);
    support_write_file(path, text, strlen(text));
    return path;
}

static void test_static_runtime_and_tool(void **state)
{
    (void)state;
    must_run(support_printf(
        "cd %s/usr/local && %s -std=c99 -Wall -Wextra -Wpedantic -Werror -Iinclude %s "
        "$(find . -name libcpu_runtime.a) -o main && ./main && "
        "bin/loader -version",
        tree, support_cc(), write_program("static.c", runtime_program)));
    must_run(support_printf("cd %s/usr/local && %s -std=c99 -Wall -Wextra -Wpedantic -Werror "
                            "-Iinclude %s $(find . -name libgpu_runtime.a) -ldl -o main && ./main",
                            tree, support_cc(), write_program("static_gpu.c", gpu_program)));
    must_run(support_printf("cd %s/usr/local && %s -std=c99 -Wall -Wextra -Wpedantic -Werror "
                            "-Iinclude %s $(find . -name libve_runtime.a) -ldl -o main && ./main",
                            tree, support_cc(), write_program("static_ve.c", ve_program)));
}

static void test_pkg_config(void **state)
{
    (void)state;
    const struct {
        const char *package, *program;
    } uses[] = {
        {"sheaf-cpu-runtime", write_program("shared.c", runtime_program)},
        {"sheaf-gpu-runtime", write_program("shared_gpu.c", gpu_program)},
        {"sheaf-ve-runtime", write_program("shared_ve.c", ve_program)},
        {"sheaf", write_program("compiler.c", compiler_program)},
    };
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++)
        must_run(
            support_printf("cd %s && export PKG_CONFIG_SYSROOT_DIR=%s "
                           "PKG_CONFIG_PATH=$(dirname $(find %s -name sheaf.pc)) && "
                           "%s $(pkg-config --cflags %s) %s $(pkg-config --libs %s) -o used && "
                           "LD_LIBRARY_PATH=$(dirname $(find %s -name libsheaf.so)) ./used",
                           support_tmp(), tree, tree, support_cc(), uses[i].package,
                           uses[i].program, uses[i].package, tree));
}

/* Shared libraries have a number, and show what is documented. */
static void test_shared_libraries(void **state)
{
    (void)state;
    static const char *const libraries[] = {"sheaf", "cpu_runtime", "gpu_runtime", "ve_runtime"};
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        const char *file = support_printf("$(find %s -name lib%s.so)", tree, libraries[i]);
        must_run(support_printf("readelf -d %s | grep -q 'soname: .lib%s[.]so[.]0'", file,
                                libraries[i]));
        must_run(support_printf("nm -D --defined-only %s | grep -q ' T sheaf_'", file));
        must_run(support_printf("! nm -D --defined-only %s | grep -v ' T sheaf_'", file));
    }
}

static void test_cmake(void **state)
{
    (void)state;
    SUPPORT_NEED(support_run("cmake --version", NULL) == 0 ? "cmake" : NULL, "cmake");
    static const char project[] = "cmake_minimum_required(VERSION 3.18)\n"
                                  "project(use C)\n"
                                  "find_package(Sheaf 0.1 REQUIRED)\n"
                                  "add_executable(compiler compiler.c)\n"
                                  "target_link_libraries(compiler Sheaf::sheaf)\n"
                                  "add_executable(shared runtime.c)\n"
                                  "target_link_libraries(shared Sheaf::cpu_runtime)\n"
                                  "add_executable(static runtime.c)\n"
                                  "target_link_libraries(static Sheaf::cpu_runtime_static)\n"
                                  "add_executable(gpu gpu.c)\n"
                                  "target_link_libraries(gpu Sheaf::gpu_runtime)\n"
                                  "add_executable(gpu_static gpu.c)\n"
                                  "target_link_libraries(gpu_static Sheaf::gpu_runtime_static)\n"
                                  "add_executable(ve ve.c)\n"
                                  "target_link_libraries(ve Sheaf::ve_runtime)\n"
                                  "add_executable(ve_static ve.c)\n"
                                  "target_link_libraries(ve_static Sheaf::ve_runtime_static)\n";
    const char *dir = support_printf("%s/cmake", support_tmp());
    must_run(support_printf("mkdir -p %s", dir));
    support_write_file(support_printf("%s/CMakeLists.txt", dir), project, sizeof project - 1);
    write_program("cmake/runtime.c", runtime_program);
    write_program("cmake/compiler.c", compiler_program);
    write_program("cmake/gpu.c", gpu_program);
    write_program("cmake/ve.c", ve_program);
    must_run(
        support_printf("cd %s && CC='%s' cmake -S . -B out -DSheaf_DIR=$(dirname $(find %s "
                       "-name SheafConfig.cmake)) && cmake --build out && "
                       "out/compiler && out/shared && out/static && out/gpu && out/gpu_static && "
                       "out/ve && out/ve_static",
                       dir, support_cc(), tree));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_static_runtime_and_tool),
        cmocka_unit_test(test_pkg_config),
        cmocka_unit_test(test_shared_libraries),
        cmocka_unit_test(test_cmake),
    };
    return cmocka_run_group_tests(tests, install, NULL);
}
