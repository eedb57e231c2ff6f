/*
 * The stack that NAME.h states, against what a call uses: entries run on a painted stack, natively
 * and by qemu (tests/cross/stack.c).  Boards are in tests/examples/test_firmware.c.
 */
#include "tests/loader/bundle_run.h"

#include "tests/support/compiled.h"

/*
 * `slack`: what may be stated and is not used.  A frame ends in padding to the stack's alignment,
 * and one with vectors may lose more; three functions are on top of each other.  On x86-64 128
 * bytes below the last frame are the function's as well, and arguments on the stack are counted
 * where they may be part of the frame already.
 */
static const struct machine {
    const char *target, *cpu, *compiler, *qemu; /* compiler NULL: this machine itself */
    unsigned slack;
    bool may_be_unknown; /* where frames hold vectors whose length the processor decides */
} machines[] = {
    {"x86_64", "x86-64", NULL, "", 128 + 64, false},
    {"x86_64", "x86-64-v3", NULL, "", 128 + 3 * 16 + 64, false},
    {"x86_64", "x86-64-v4", NULL, "", 128 + 3 * 48 + 64, false},
    {"aarch64", "generic", "aarch64-linux-gnu-gcc", "qemu-aarch64 -cpu max", 16, false},
    {"aarch64", "neoverse-n2", "aarch64-linux-gnu-gcc", "qemu-aarch64 -cpu max", 16, false},
    {"armv7", "generic", "arm-linux-gnueabihf-gcc", "qemu-arm -cpu max", 8, false},
    {"armv7", "cortex-a7", "arm-linux-gnueabihf-gcc", "qemu-arm -cpu max", 3 * 8 + 8, false},
    {"riscv64", "generic", "riscv64-linux-gnu-gcc", "qemu-riscv64", 16, false},
    {"riscv64", "sifive-p670", "riscv64-linux-gnu-gcc",
     "qemu-riscv64 -cpu rv64,v=true,vext_spec=v1.0,vlen=128", 16, true},
    {"riscv64", "sifive-p670", "riscv64-linux-gnu-gcc",
     "qemu-riscv64 -cpu rv64,v=true,vext_spec=v1.0,vlen=512", 16, true},
};
enum { N_MACHINES = sizeof machines / sizeof *machines };

static bool have(const char *command)
{
    return support_run(support_printf("command -v %.*s", (int)strcspn(command, " "), command),
                       NULL) == 0;
}

/* Whether this machine, or qemu, runs code for the machine. */
static bool can_run(const struct machine *m)
{
    return m->compiler ? have(m->compiler) && have(m->qemu) : compiled_host_runs(m->cpu);
}

struct stack_use {
    unsigned used, stated;
};

static struct stack_use use_of(const struct machine *m, const char *model, const char *options)
{
    struct stack_use u;
    char *text;
    compile(support_printf("-m '%s' -network-name=net -weights-format=object -emit-bundle o "
                           "-target=%s -mcpu=%s %s",
                           model, m->target, m->cpu, options));
    run_or_fail(support_printf("cd '%s' && %s -Wall -Wextra -Werror -O1 -static -Io stack.c "
                               "o/net.o o/net_weights.o -o stack && %s ./stack",
                               support_tmp(), m->compiler ? m->compiler : support_cc(), m->qemu),
                &text);
    assert_int_equal(sscanf(text, "%u used, %u stated", &u.used, &u.stated), 2);
    free(text);
    return u;
}

static void check(const char *model, const char *options)
{
    size_t n_run = 0;
    for (size_t i = 0; i < N_MACHINES; i++) {
        const struct machine *m = &machines[i];
        if (!can_run(m)) {
            print_message("%s %s left out: it cannot run here\n", m->target, m->cpu);
            continue;
        }
        struct stack_use u = use_of(m, model, options);
        n_run++;
        if (m->may_be_unknown && u.stated == 0)
            continue;
        if (u.used > u.stated || u.stated - u.used > m->slack)
            fail_msg("%s, %s %s: %u bytes are used, %u stated", model, m->target, m->cpu, u.used,
                     u.stated);
    }
    if (!n_run)
        skip();
}

/* ---- networks ---- */

/* A kernel with more parameters than any machine has registers for them. */
static void write_lstm(const char *file)
{
    struct arena a;
    struct onnx_model m;
    arena_init(&a);
    onnx_begin(&m, &a, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "3,1,24");
    onnx_input(&m.graph, "h", ONNX_F32, "1,1,40");
    onnx_input(&m.graph, "c", ONNX_F32, "1,1,40");
    onnx_weights(&m.graph, "w", "1,160,24");
    onnx_weights(&m.graph, "r", "1,160,40");
    onnx_weights(&m.graph, "b", "1,320");
    onnx_node(&m.graph, "LSTM", "x,w,r,b,,h,c", "y,yh,yc", "hidden_size=40");
    onnx_output(&m.graph, "y", ONNX_F32, "3,1,1,40");
    onnx_output(&m.graph, "yh", ONNX_F32, "1,1,40");
    onnx_output(&m.graph, "yc", ONNX_F32, "1,1,40");
    finish_net(&m, file);
    arena_done(&a);
}

/* Tiles of results that fill the registers and more. */
static void write_conv(const char *file)
{
    struct arena a;
    struct onnx_model m;
    arena_init(&a);
    onnx_begin(&m, &a, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "1,3,33,31");
    onnx_weights(&m.graph, "w", "24,3,5,5");
    onnx_weights(&m.graph, "v", "16,24,3,3");
    onnx_node(&m.graph, "Conv", "x,w", "h", "pads=[2,2,2,2] strides=[2,2]");
    onnx_node(&m.graph, "Relu", "h", "r", "");
    onnx_node(&m.graph, "Conv", "r,v", "y", "pads=[1,1,1,1]");
    onnx_output(&m.graph, "y", ONNX_F32, "1,16,17,16");
    finish_net(&m, file);
    arena_done(&a);
}

/* A kernel with so many parameters that ARM's code moves the stack pointer for its call. */
static void write_concat(const char *file)
{
    enum { N_INPUTS = 600 };
    struct arena a;
    struct onnx_model m;
    struct strbuf names;
    arena_init(&a);
    onnx_begin(&m, &a, 13);
    strbuf_init(&names, &a);
    for (int i = 0; i < N_INPUTS; i++) {
        onnx_input(&m.graph, support_printf("x%d", i), ONNX_F32, "3");
        strbuf_printf(&names, "%sx%d", i ? "," : "", i);
    }
    onnx_node(&m.graph, "Concat", strbuf_text(&names), "y", "axis=0");
    onnx_output(&m.graph, "y", ONNX_F32, support_printf("%d", 3 * N_INPUTS));
    finish_net(&m, file);
    arena_done(&a);
}

static int setup(void **state)
{
    size_t size;
    char *program =
        support_read_file(support_printf("%s/tests/cross/stack.c", support_source()), &size);
    (void)state;
    assert_non_null(program);
    support_write_file(path_of("stack.c"), program, size);
    free(program);
    write_net("net.onnx", "2", 2);
    write_lstm("lstm.onnx");
    write_conv("conv.onnx");
    write_concat("concat.onnx");
    return 0;
}

static void of_products(void **state)
{
    (void)state;
    check("net.onnx", "");
}

static void of_arguments_on_the_stack(void **state)
{
    (void)state;
    check("lstm.onnx", "");
    check("concat.onnx", "");
}

static void of_convolutions(void **state)
{
    (void)state;
    check("conv.onnx", "");
}

/* Half floats are converted by routines that the back end calls, where there is no instruction. */
static void of_routines(void **state)
{
    (void)state;
    check("net.onnx", "-convert-to-fp16");
}

static void of_networks(void **state)
{
    (void)state;
    static const char *const networks[] = {"nets/kws_qdq", "nets/dtln_1"};
    if (support_quick())
        skip();
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        const char *model = support_data(support_printf("%s/model.onnx", networks[i]));
        SUPPORT_NEED(model, networks[i]);
        check(tool_absolute(model), "");
    }
}

/* The code for one processor has wider frames than that for another. */
static void of_several_processors(void **state)
{
    (void)state;
    const struct machine narrow = {"x86_64", "x86-64", NULL, "", 0, false};
    const struct machine wide = {"x86_64", "x86-64-v4", NULL, "", 0, false};
    const struct machine both = {"x86_64", "x86-64,x86-64-v4", NULL, "", 0, false};
    if (!can_run(&wide)) {
        print_message("skipped for want of AVX-512\n");
        skip();
    }
    unsigned n = use_of(&narrow, "conv.onnx", "").stated, w = use_of(&wide, "conv.onnx", "").stated;
    struct stack_use u = use_of(&both, "conv.onnx", "");
    assert_true(u.used <= u.stated);
    /* Two functions that choose come on top. */
    if (u.stated < n || u.stated < w || u.stated > (n > w ? n : w) + 64)
        fail_msg("%u and %u bytes for one processor, %u for both", n, w, u.stated);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_products),     cmocka_unit_test(of_arguments_on_the_stack),
        cmocka_unit_test(of_convolutions), cmocka_unit_test(of_routines),
        cmocka_unit_test(of_networks),     cmocka_unit_test(of_several_processors),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
