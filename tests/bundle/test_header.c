/*
 * test_header.c: generated headers compile as C99, C11 and C++ under all warnings, alone, two
 * together and beside the contract, and say what the program says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bundle/write/bundle.h"
#include "bundle/write/header.h"
#include "bundle/write/names.h"
#include "tests/support/support.h"

static const char *const dialects[] = {
    "cc -x c -std=c99",
    "cc -x c -std=c11",
    "c++ -x c++ -std=c++11 -Wold-style-cast",
    "c++ -x c++ -std=c++20 -Wold-style-cast",
};

static struct pbuf buf(const char *name, enum dtype dtype, int64_t n, enum area area,
                       enum sheaf_role role, int64_t offset)
{
    struct pbuf b = {.name = name,
                     .dtype = dtype,
                     .rank = 1,
                     .dims = {n},
                     .extent_buf = {-1},
                     .layout = layout_plain(1),
                     .area = area,
                     .role = role,
                     .view_of = -1,
                     .bytes = dtype_bytes(dtype, n),
                     .offset = offset};
    return b;
}

/* A header for a made-up program; `name` is also the entry. */
static const char *make_header(struct arena *a, const char *name, const char *input)
{
    struct pbuf *bufs = arena_array(a, 8, sizeof *bufs);
    bufs[0] = buf(input, DTYPE_F32, 100, AREA_MUTABLE, SHEAF_ROLE_INPUT, 0);
    bufs[1] = buf("half/out", DTYPE_F16, 10, AREA_MUTABLE, SHEAF_ROLE_OUTPUT, 448);
    bufs[2] = buf("nibbles", DTYPE_I4, 7, AREA_MUTABLE, SHEAF_ROLE_OUTPUT, 512);
    static const struct value state = {.role = VALUE_STATE};
    bufs[3] = buf("key", DTYPE_U64, 2, AREA_MUTABLE, SHEAF_ROLE_STATE, 576);
    bufs[3].value = &state;
    bufs[4] = buf("n", DTYPE_I64, 1, AREA_ACTIVATION, SHEAF_ROLE_CONSTANT, 128);
    bufs[5] = buf("found", DTYPE_I64, 50, AREA_MUTABLE, SHEAF_ROLE_OUTPUT, 640);
    bufs[5].extent_buf[0] = 4;
    /* A name that would end the comment, start another, and turn the terminal around. */
    bufs[6] = buf("w*/ int x; /* \xe2\x80\xae ?\?/\n\\", DTYPE_I8, 64, AREA_CONSTANT,
                  SHEAF_ROLE_CONSTANT, 0);
    bufs[7] = buf("quantized", DTYPE_U8, 16, AREA_MUTABLE, SHEAF_ROLE_OUTPUT, 1088);
    bufs[7].quant = (struct quant){.scale = 0.25f, .zero_point = 128};
    struct program *p = arena_new(a, struct program);
    *p = (struct program){.name = name, .bufs = bufs, .n_bufs = 8, .area_bytes = {64, 1152, 192}};
    p->peak_live_bytes = 192;
    static const struct target target = {
        .triple = "x86_64-unknown-linux-gnu", .cpu = "x86-64-v3", .features = "+avx2,+fma"};
    struct emit_part part = {.program = p, .target = &target};
    struct emit_entry entry = {
        .name = names_legalise(a, name), .model = "model*/.onnx", .parts = &part, .n_parts = 1};
    entry.symbols = names_symbols(a, &part, 1, &entry.n_symbols);
    struct bundle_request req = {.name = name, .entries = &entry, .n_entries = 1};
    return header_text(a, &req);
}

static void write_text(const char *path, const char *text)
{
    support_write_file(path, text, strlen(text));
}

/* Compiles and runs a program of `text` in every dialect; main returns 0 where all is well. */
static void run_program(const char *text)
{
    const char *dir = support_tmp();
    const char *source = support_printf("%s/use.c", dir);
    write_text(source, text);
    for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++) {
        char *out;
        int code =
            support_run(support_printf("%s -Wall -Wextra -pedantic -Wconversion -Wshadow -Werror "
                                       "-I'%s' -I'%s' '%s' -x none -o '%s/use' && '%s/use'",
                                       dialects[i], dir, support_source(), source, dir, dir),
                        &out);
        if (code != 0)
            fail_msg("%s: exit code %d\n%s", dialects[i], code, out);
        free(out);
    }
}

static void write_headers(void)
{
    struct arena a;
    arena_init(&a);
    write_text(support_printf("%s/net.h", support_tmp()), make_header(&a, "net", "gpu_0/data"));
    write_text(support_printf("%s/NET-2.h", support_tmp()), make_header(&a, "NET-2", "data"));
    arena_done(&a);
}

/* Definitions that stand in for the object, so that the programs link in every dialect. */
#define STAND_IN(name)                                                                             \
    "int " #name "(uint8_t *c, uint8_t *m, uint8_t *a) { return c && m && a ? 0 : 1; }\n"          \
    "const struct BundleConfig " #name "_config = {64, 1152, 192, 64, 0, NULL};\n"

static void test_alone(void **state)
{
    (void)state;
    write_headers();
    run_program("#include \"net.h\"\n" STAND_IN(
        net) "SHEAF_ALIGNED(NET_MEM_ALIGN) static uint8_t mutables[NET_MUTABLE_MEM_SIZE];\n"
             "SHEAF_ALIGNED(NET_MEM_ALIGN) static uint8_t constants[NET_CONSTANT_MEM_SIZE];\n"
             "SHEAF_ALIGNED(NET_MEM_ALIGN) static uint8_t activations[NET_ACTIVATIONS_MEM_SIZE];\n"
             "#define AT(type, offset) SHEAF_AT(type, mutables, offset)\n"
             "int main(void)\n"
             "{\n"
             "    float *x = net_get_gpu_0_data(mutables);\n"
             "    uint16_t *y = net_get_half_out(mutables);\n"
             "    uint8_t *z = net_get_nibbles(mutables);\n"
             "    uint64_t *s = net_get_key(mutables);\n"
             "    int64_t *f = net_get_found(mutables);\n"
             "    uint8_t *q = net_get_quantized(mutables);\n"
             "    net_seed(mutables, 9);\n"
             "    if (s[0] != 9 || s[1] != 0) return 9;\n"
             "    int64_t seven = 7;\n"
             "    uint8_t *extent = activations + NET_EXTENT_0_found;\n"
             "    for (size_t i = 0; i < sizeof seven; i++)\n"
             "        extent[i] = i == 0 ? 7 : 0;\n"
             "    if (x != AT(float, NET_gpu_0_data) || NET_gpu_0_data != 0) return 1;\n"
             "    if (y != AT(uint16_t, 448) || NET_BYTES_half_out != 20) return 2;\n"
             "    if (z != mutables + 512 || NET_ELEMS_nibbles != 7 || NET_BYTES_nibbles != 4) "
             "return 3;\n"
             "    if (s != AT(uint64_t, 576) || f != AT(int64_t, 640)) return 4;\n"
             "    if (q != mutables + 1088 || NET_ELEMS_gpu_0_data != 100) return 5;\n"
             "    if (net_extent_0_found(activations) != seven) return 6;\n"
             "    if (net_config.alignment != NET_MEM_ALIGN) return 8;\n"
             "    return net(constants, mutables, activations);\n"
             "}\n");
}

static void test_two_and_the_contract(void **state)
{
    (void)state;
    static const char *const orders[][4] = {
        {"net.h", "NET-2.h"},
        {"NET-2.h", "net.h", "NET-2.h"},
        {"bundle/bundle.h", "net.h", "NET-2.h"},
        {"net.h", "bundle/bundle.h", "NET-2.h"},
        {"net.h", "NET-2.h", "bundle/runtime.h"},
    };
    write_headers();
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        const char *text = "";
        for (size_t j = 0; j < 4 && orders[i][j]; j++)
            text = support_printf("%s#include \"%s\"\n", text, orders[i][j]);
        run_program(support_printf(
            "%s%s%s", text, STAND_IN(net) STAND_IN(NET_2),
            "int main(void)\n"
            "{\n"
            "    static uint8_t area[NET_2_MUTABLE_MEM_SIZE + NET_MUTABLE_MEM_SIZE];\n"
            "    const struct sheaf_bundle_info *info = NULL;\n"
            "    if (NET_2_get_data(area) != net_get_gpu_0_data(area)) return 1;\n"
            "    return info && info->version;\n"
            "}\n"));
    }
}

static void test_capitals(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    write_text(support_printf("%s/cap.h", support_tmp()), make_header(&a, "Net", "x"));
    write_headers();
    const char *source = support_printf("%s/cap.c", support_tmp());
    write_text(source, "#include \"net.h\"\n#include \"cap.h\"\n");
    char *out;
    int code = support_run(support_printf("cc -c '%s' -o /dev/null", source), &out);
    assert_int_not_equal(code, 0);
    assert_non_null(strstr(out, "differs from this one's in capitals only"));
    free(out);
    arena_done(&a);
}

static void test_comment(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    const char *text = make_header(&a, "net", "gpu_0/data");
    static const char *const facts[] = {
        "x86_64-unknown-linux-gnu",
        "x86-64-v3",
        "+avx2,+fma",
        "64 bytes constant, 1152 mutable, 192 activations",
        "100.0%",
        "gpu_0_data: input f32[100], 400 bytes at 0, \"gpu_0/data\"",
        "found: output i64[<=50]",
        "= (stored - 128) * 0.25",
        "w* / int x; / * \\xe2\\x80\\xae",
        "/* gpu_0_data: input f32[100] */\n#define NET_gpu_0_data 0\n",
        "/* quantized: output u8[16] = (stored - 128) * 0.25 */\n",
    };
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        if (!strstr(text, facts[i]))
            fail_msg("the header does not say: %s\n%.1500s", facts[i], text);
    assert_string_equal(text, make_header(&a, "net", "gpu_0/data"));
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_two_and_the_contract),
        cmocka_unit_test(test_capitals),
        cmocka_unit_test(test_comment),
    };
    return cmocka_run_group_tests_name("bundle/write/header", tests, NULL, NULL);
}
