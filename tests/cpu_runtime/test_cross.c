/*
 * Whole networks on other processors: bundles that the tool makes for them, linked by their
 * compilers and run by qemu, against the same program on this machine.  Integers are equal to the
 * bit; floats are summed up in another order.
 */
#define _XOPEN_SOURCE 700
#include "tests/loader/tool.h"

#include <math.h>

#include "bundle/bundle.h"

/* Of each architecture the processors whose generators differ.  The emulated ones have no more than
   the code may use, where qemu can do without. */
static const struct machine {
    const char *target, *cpu, *compiler, *qemu;
} machines[] = {
    {"aarch64", "generic", "aarch64-linux-gnu-gcc", "qemu-aarch64 -cpu cortex-a53"},
    {"aarch64", "neoverse-n2", "aarch64-linux-gnu-gcc", "qemu-aarch64 -cpu max"},
    {"armv7", "generic", "arm-linux-gnueabihf-gcc", "qemu-arm -cpu cortex-a9,neon=off"},
    {"armv7", "cortex-a7", "arm-linux-gnueabihf-gcc", "qemu-arm -cpu cortex-a7"},
    {"riscv64", "generic", "riscv64-linux-gnu-gcc", "qemu-riscv64 -cpu rv64"},
    {"riscv64", "sifive-p670", "riscv64-linux-gnu-gcc",
     "qemu-riscv64 -cpu rv64,v=true,vext_spec=v1.0,vlen=128"},
};
enum { N_MACHINES = sizeof machines / sizeof machines[0] };

/* Fills the inputs with noise, runs, and writes all outputs to the standard output. */
static const char client[] =
    "#include <stdio.h>\n"
    "#include \"net.h\"\n"
    "SHEAF_ALIGNED(NET_MEM_ALIGN) static uint8_t c[NET_CONSTANT_MEM_SIZE + 1];\n"
    "SHEAF_ALIGNED(NET_MEM_ALIGN) static uint8_t m[NET_MUTABLE_MEM_SIZE + 1];\n"
    "SHEAF_ALIGNED(NET_MEM_ALIGN) static uint8_t a[NET_ACTIVATIONS_MEM_SIZE + 1];\n"
    "static uint32_t seed = 1;\n"
    "static uint8_t noise(void)\n"
    "{\n"
    "    seed = seed * 1664525u + 1013904223u;\n"
    "    return (uint8_t)(seed >> 24);\n"
    "}\n"
    "int main(int argc, char **argv)\n"
    "{\n"
    "    FILE *f = argc > 1 ? fopen(argv[1], \"rb\") : NULL;\n"
    "    if (!f || fread(c, 1, sizeof c, f) != NET_CONSTANT_MEM_SIZE)\n"
    "        return 1;\n"
    "    for (size_t i = 0; i < net_config.numSymbols; i++) {\n"
    "        uint8_t *p = m + net_config.symbolTable[i].offset;\n"
    "        size_t n = net_config.symbolTable[i].size;\n"
    "        int is_float = net_info.symbols[i].dtype == SHEAF_FLOAT32;\n"
    "        for (size_t k = 0; net_info.symbols[i].role == SHEAF_ROLE_INPUT && k < n; k++)\n"
    "            if (is_float)\n"
    "                ((float *)(void *)p)[k] = (float)noise() / 128 - 1;\n"
    "            else\n"
    "                p[k] = noise();\n"
    "    }\n"
    "    if (net(c, m, a) != 0)\n"
    "        return 2;\n"
    "    for (size_t i = 0; i < net_config.numSymbols; i++)\n"
    "        if (net_info.symbols[i].role == SHEAF_ROLE_OUTPUT)\n"
    "            fwrite(m + net_config.symbolTable[i].offset, 1,\n"
    "                   (size_t)net_info.symbols[i].size_bytes, stdout);\n"
    "    return 0;\n"
    "}\n";

static int setup(void **state)
{
    (void)state;
    support_write_file(support_printf("%s/client.c", support_tmp()), client, sizeof client - 1);
    return 0;
}

static bool have(const char *command)
{
    return support_run(support_printf("command -v %.*s", (int)strcspn(command, " "), command),
                       NULL) == 0;
}

/* What the network gives: the options are the target's, qemu what runs the program. */
static char *outputs(const char *model, const char *options, const char *compiler, const char *qemu,
                     size_t *out_size)
{
    char *out, *errout;
    if (tool_run(support_printf("-m '%s' -network-name=net -emit-bundle net %s",
                                tool_absolute(model), options),
                 &out, &errout))
        fail_msg("%s: %s", options, errout);
    free(out);
    free(errout);
    int code = support_run(support_printf("cd '%s' && %s -Wall -Wextra -Werror -static -Inet "
                                          "client.c net/net.o -o client && "
                                          "%s ./client net/net.weights >out",
                                          support_tmp(), compiler, qemu),
                           &out);
    if (code)
        fail_msg("%s %s: exit code %d: %s", model, options, code, out);
    free(out);
    return support_read_file(support_printf("%s/out", support_tmp()), out_size);
}

/* The largest difference, as a share of the largest number where that is above 1; NaN where there
   is one. */
static float difference(const float *a, const float *b, size_t n)
{
    float most = 0, largest = 1;
    for (size_t i = 0; i < n; i++) {
        most = fabsf(a[i] - b[i]) <= most ? most : fabsf(a[i] - b[i]);
        largest = fabsf(b[i]) > largest ? fabsf(b[i]) : largest;
    }
    return most / largest;
}

/* `tolerance` 0: to the bit. */
static void check_network(const char *data, float tolerance)
{
    const char *model = support_data(data);
    if (support_quick())
        skip();
    SUPPORT_NEED(model, data);
    size_t size, n_run = 0;
    char *want = outputs(model, "", support_cc(), "", &size);
    for (int i = 0; i < N_MACHINES; i++) {
        const struct machine *m = &machines[i];
        const char *missing = !have(m->compiler) ? m->compiler : !have(m->qemu) ? m->qemu : NULL;
        if (missing) {
            print_message("%s left out for want of %s\n", m->target, missing);
            continue;
        }
        size_t got_size;
        char *got = outputs(model, support_printf("-target=%s -mcpu=%s", m->target, m->cpu),
                            m->compiler, m->qemu, &got_size);
        assert_int_equal(got_size, size);
        if (tolerance > 0) {
            float apart = difference((const float *)(const void *)got,
                                     (const float *)(const void *)want, size / sizeof(float));
            if (!(apart <= tolerance))
                fail_msg("%s %s: %g apart", m->target, m->cpu, (double)apart);
        } else if (memcmp(got, want, size) != 0) {
            fail_msg("%s %s computes something else", m->target, m->cpu);
        }
        free(got);
        n_run++;
    }
    free(want);
    if (!n_run)
        skip();
}

static void quantized_network(void **state)
{
    (void)state;
    check_network("nets/kws_qdq/model.onnx", 0);
}

static void float_network(void **state)
{
    (void)state;
    check_network("nets/kws_fp32/model.onnx", 1e-5f);
}

static void convolutions(void **state)
{
    (void)state;
    check_network("models/onnx-mnist_8/model.onnx", 1e-5f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantized_network),
        cmocka_unit_test(float_network),
        cmocka_unit_test(convolutions),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
