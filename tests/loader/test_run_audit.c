/*
 * -audit: the report, and the exit code, which says whether the object stands by itself.
 */
#include "tests/loader/bundle_run.h"

#include <elf.h>

#include "bundle/write/ve_shared.h"
#include "tests/support/ve_object.h"

static int setup(void **state)
{
    (void)state;
    write_net("net.onnx", "2", 2);
    compile("-m net.onnx -target=thumbv7em -mcpu=cortex-m4 -emit-bundle o");
    compile("-m net.onnx -mcpu=x86-64-v3 -target=x86_64 -emit-bundle x");
    return 0;
}

static char *audit_of(const char *file)
{
    char *out, *errout;
    int status = tool_run(support_printf("-audit %s", file), &out, &errout);
    if (status != 0 || *errout)
        fail_msg("-audit %s exits with %d: %s", file, status, errout);
    free(errout);
    return out;
}

static void expect_words(const char *text, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strstr(text, words[i]))
            fail_msg("'%s' is not in:\n%s", words[i], text);
}

static void of_a_bundle(void **state)
{
    (void)state;
    static const char *const words[] = {
        "o/net.o: ELF, ARM, little-endian\n",
        "Needed from elsewhere: nothing\n",
        "Writable data: none\n",
        "Floats are passed in general registers (soft)\n",
        "Entry net: ",
        "  stack: at most ",
        "; products in a run: 3072\n", /* 2 x 16 x 64 + 2 x 64 x 8 */
        "R_ARM_ABS32: ",
        "Functions:\n     bytes  name\n",
    };
    char *text = audit_of("o/net.o");
    expect_words(text, words, sizeof words / sizeof *words);
    assert_null(strstr(text, "type "));
    free(text);
}

/* The header, the audit and the object itself say the same. */
static void the_header_says_the_same(void **state)
{
    (void)state;
    static const char *const dirs[] = {"o", "x"};
    for (int i = 0; i < 2; i++) {
        char *text = audit_of(support_printf("%s/net.o", dirs[i]));
        char *header = support_read_file(path_of(support_printf("%s/net.h", dirs[i])), NULL);
        unsigned long long stack, macs;
        const char *line = strstr(text, "  stack: at most ");
        assert_non_null(line);
        assert_int_equal(
            sscanf(line, "  stack: at most %llu bytes; products in a run: %llu", &stack, &macs), 2);
        assert_non_null(strstr(header, support_printf("#define NET_STACK_BYTES %llu\n", stack)));
        assert_non_null(strstr(header, support_printf("#define NET_MACS %llu\n", macs)));
        assert_non_null(strstr(header, support_printf("%llu of stack at most", stack)));
        free(text);
        free(header);
    }
    struct linked_entry e = open_entry("x/net", "net");
    assert_int_equal(e.info->macs, 3072);
    assert_true(e.info->stack_bytes >= 8);
}

/* Frames with vectors of RISC-V are as large as the processor makes them; others are known. */
static void a_stack_that_is_not_known(void **state)
{
    (void)state;
    compile("-m net.onnx -target=riscv64 -mcpu=sifive-p670 -convert-to-fp16 -emit-bundle v");
    compile("-m net.onnx -target=riscv64 -mcpu=sifive-p670 -emit-bundle r");
    char *text = audit_of("v/net.o"), *header = support_read_file(path_of("v/net.h"), NULL);
    assert_non_null(strstr(text, "  stack: not known; products in a run: 3072\n"));
    assert_null(strstr(header, "NET_STACK_BYTES"));
    assert_null(strstr(header, "of stack"));
    assert_non_null(strstr(header, "NET_MACS 3072"));
    free(text);
    free(header);
    text = audit_of("r/net.o");
    assert_non_null(strstr(text, "  stack: at most "));
    free(text);
}

/* The largest function comes first. */
static void functions_by_size(void **state)
{
    (void)state;
    char *text = audit_of("o/net.o");
    unsigned long last = ~0ul, size, n = 0;
    int used;
    char name[512];
    const char *at = strstr(text, "     bytes  name\n");
    assert_non_null(at);
    for (at = strchr(at, '\n') + 1; sscanf(at, "%lu %511s%n", &size, name, &used) == 2;
         at += used) {
        assert_true(size <= last);
        last = size;
        n++;
    }
    assert_true(n >= 2);
    free(text);
}

static void expect_verdict(const char *source, const char *words)
{
    char *out, *errout;
    support_write_file(path_of("a.c"), source, strlen(source));
    run_or_fail(support_printf("cd %s && %s -c a.c", support_tmp(), support_cc()), NULL);
    assert_int_equal(tool_run("-audit a.o", &out, &errout), 1);
    if (!strstr(errout, words))
        fail_msg("%s", errout);
    assert_non_null(strstr(out, "Functions:"));
    free(out);
    free(errout);
}

static void what_does_not_stand_alone(void **state)
{
    (void)state;
    expect_verdict("int other(void), more(void); int f(void); int f(void)"
                   "{ return other() + more(); }\n",
                   "a.o needs 2 symbols from elsewhere, the first is '");
    expect_verdict("int n = 3; int f(void); int f(void) { return n++; }\n",
                   "a.o has writable data in section '");
}

/* Made here, so nothing but this says whether it could be opened. */
static void shared_objects_of_the_vector_engine(void **state)
{
    (void)state;
    static const char *const words[] = {
        "net.so: ELF, NEC Vector Engine, little-endian\n",
        "Needed from elsewhere: nothing\n",
        "Writable data: none\n",
        "Can be opened by a dynamic loader: yes\n",
    };
    struct arena a;
    struct error err;
    struct bytes library;
    arena_init(&a);
    error_init(&err);
    struct bytes object = ve_object(&a,
                                    "@table = internal constant [2 x i64] [i64 3, i64 4]\n"
                                    "define i64 @f(i64 %x) {\n"
                                    "  %p = getelementptr i64, ptr @table, i64 %x\n"
                                    "  %r = load i64, ptr %p\n"
                                    "  ret i64 %r\n}\n",
                                    LLVMRelocPIC);
    if (!ve_shared_make(&a, "net.so", object, &library, &err))
        fail_msg("%s", err.text);
    support_write_file(path_of("net.so"), library.data, library.size);
    char *text = audit_of("net.so");
    expect_words(text, words, sizeof words / sizeof *words);
    free(text);
    support_write_file(path_of("ve.o"), object.data, object.size);
    text = audit_of("ve.o");
    assert_non_null(strstr(text, "R_VE_GOTOFF_LO32: 1\n"));
    assert_null(strstr(text, "dynamic loader"));
    free(text);

    /* Its stack would be executed. */
    uint8_t *damaged = arena_copy(&a, library.data, library.size);
    damaged[sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr) + offsetof(Elf64_Phdr, p_flags)] |= PF_X;
    support_write_file(path_of("net.so"), damaged, library.size);
    char *out, *errout;
    assert_int_equal(tool_run("-audit net.so", &out, &errout), 1);
    assert_non_null(strstr(out, "Can be opened by a dynamic loader: no\n"));
    assert_non_null(
        strstr(errout, "net.so cannot be opened by a dynamic loader: it wants a stack"));
    free(out);
    free(errout);
    arena_done(&a);
}

static void faults(void **state)
{
    (void)state;
    support_write_file(path_of("text"), "no object", 9);
    tool_expect_fault("-audit text", "text is no object that can be audited: ");
    tool_expect_fault("-audit absent.o", "absent.o");
    tool_expect_fault("-audit o/net.o -m net.onnx", "exclude each other");
    tool_expect_fault("-audit o/net.o picture.png", "-audit reads one file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_bundle),
        cmocka_unit_test(a_stack_that_is_not_known),
        cmocka_unit_test(the_header_says_the_same),
        cmocka_unit_test(functions_by_size),
        cmocka_unit_test(what_does_not_stand_alone),
        cmocka_unit_test(shared_objects_of_the_vector_engine),
        cmocka_unit_test(faults),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
