/*
 * Kernels: the builder's folding, the text form (both ways), affine analysis, and that the
 * validator finds each kind of fault.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ir/kernel.h"
#include "ir/kernel_scalar.h"

static int setup(void **state)
{
    static struct arena arena;
    arena_init(&arena);
    *state = &arena;
    return 0;
}

static int teardown(void **state)
{
    arena_done(*state);
    return 0;
}

static const char *print(struct arena *a, const struct kernel *k)
{
    struct strbuf s;
    strbuf_init(&s, a);
    kernel_print(k, &s);
    return strbuf_text(&s);
}

static const char *key(struct arena *a, const struct kernel *k)
{
    struct strbuf s;
    strbuf_init(&s, a);
    kernel_print_key(k, &s);
    return strbuf_text(&s);
}

static struct kernel *parse(struct arena *a, const char *text)
{
    struct error err;
    error_init(&err);
    struct kernel *k = kernel_parse(a, text, &err);
    if (!k)
        fail_msg("%s", err.text);
    return k;
}

/* ---- text ---- */

/* Everything the text form can say, in the form in which it is printed. */
static const char all_regions[] =
    "kernel \"all \\\"regions\\\"\\x0a\" {\n"
    "  in @0 \"x\": f32[1,64,56,56] abcd16b\n"
    "  in @1 \"w\": u8[64,64,3,3] plain = {...}\n"
    "  in @2 \"table\": i32[3] plain = {1:i32, -2:i32, 3:i32}\n"
    "  inout @3 \"n\": i64[] plain\n"
    "  out @4 \"y\": f32[64,8@3] plain\n"
    "  local @5 \"t\": bf16[4] plain\n"
    "  %0 = load @3[]\n"
    "  map %1 (%2 < 64, %3 < %0) {\n"
    "    %4 = sub %2, 3\n"
    "    %5 = load_or @0[0, %2, %4, %3] else -inf\n"
    "    %6 = max %5, 0.1\n"
    "    store @4[%2, %3] = %6\n"
    "  }\n"
    "  %7 = reduce add lanes 8 (%8 < 4) from (0.0:f64) {\n"
    "    %9 = load @5[%8]\n"
    "    %10 = cast f64 %9\n"
    "    yield %10\n"
    "  }\n"
    "  %11, %12 = reduce block unordered (%13 < 2, %14 < 2) from (nan, -1) {\n"
    "    %15 = cast f32 %13\n"
    "    yield %15, %14\n"
    "  } combine (%16, %17, %18, %19) {\n"
    "    %20 = lt %16, %18\n"
    "    %21 = select %20, %16, %18\n"
    "    %22 = select %20, %17, %19\n"
    "    yield %21, %22\n"
    "  }\n"
    "  %23 = scan add (%24 < 4) from (0:u64) {\n"
    "    yield 18446744073709551615:u64\n"
    "  } each (%25) {\n"
    "    %26 = cast bf16 %25\n"
    "    store @5[%24] = %26\n"
    "  }\n"
    "  %27, %28 = loop (%29 < 10) with (%30 = 1.0, %31 = %12) {\n"
    "    yield %30, %31\n"
    "  }\n"
    "  loop %32 (%33 < 2) {\n"
    "    store @3[] = %33\n"
    "  }\n"
    "  %34 = lt 0, %28\n"
    "  %35 = if (%34) {\n"
    "    yield 1e-45\n"
    "  } else {\n"
    "    yield %11\n"
    "  }\n"
    "  if %36 (true) {\n"
    "    %37 = bitcast i32 %35\n"
    "    %38 = shr %37, 3:i32\n"
    "    %39 = cast i64 %38\n"
    "    store @3[] = %39\n"
    "  }\n"
    "  contract %40 i32 (m %41 < 1, n %42 < 64, m %43 < 28, m %44 < 28, k %45 < 64, k %46 < 3, "
    "k %47 < 3) {\n"
    "    a @0[%41, %45, 2*%43 + %46 - 1, -2*%44 + %47 + 54] pad 0.0 prologue (%48) {\n"
    "      %49 = cast i32 %48\n"
    "      yield %49\n"
    "    }\n"
    "    b @1[%42, %45, %46, %47]\n"
    "    epilogue (%50) {\n"
    "      %51 = load @2[2]\n"
    "      %52 = add %50, %51\n"
    "      %53 = cast f32 %52\n"
    "      store @4[%42, 0] = %53\n"
    "    }\n"
    "  }\n"
    "  sort %54 (%55 < 4, %56 < %0) {\n"
    "    %57 = load @5[%55]\n"
    "    %58 = cast f32 %57\n"
    "    yield %58, true\n"
    "  } before (%59, %60, %61, %62) {\n"
    "    %63 = lt %61, %59\n"
    "    yield %63\n"
    "  } each (%64, %65) {\n"
    "    store @4[%56, 0] = %64\n"
    "  }\n"
    "}\n";

static void test_round_trip(void **state)
{
    struct arena *a = *state;
    struct kernel *k = parse(a, all_regions);
    assert_string_equal(print(a, k), all_regions);
    assert_string_equal(k->name, "all \"regions\"\n");
    assert_int_equal(k->bufs[4].extent_buf[1], 3);
    assert_null(k->bufs[1].constant->data);
    assert_int_equal(tensor_get_int(k->bufs[2].constant, 1), -2);
}

static void test_extern(void **state)
{
    struct arena *a = *state;
    const char *form = "kernel \"k\" {\n"
                       "  in @0 \"x\": f32[2,4@2] plain\n"
                       "  in @1 \"t\": i32[1] plain = {3:i32}\n"
                       "  in @2 \"n\": i64[] plain\n"
                       "  in @3 \"unused\": f32[] plain\n"
                       "  out @4 \"y\": f32[2] plain\n"
                       "  extern \"own.F\\\"\" (@0, _, @0) -> (_, @4) {ints \"i\" (1, -2), floats "
                       "\"f\" (%s, -inf), strings \"s\" (\"a\", \"\\x0a\"), tensor \"t\" @1, ints "
                       "\"none\" ()}\n"
                       "}\n";
    const char *text = arena_printf(a, form, "0.5");
    struct kernel *k = parse(a, text), *other = parse(a, arena_printf(a, form, "0.25"));
    assert_string_equal(print(a, k), text);
    assert_string_equal(print(a, kernel_clone(a, k)), text);
    assert_string_not_equal(key(a, k), key(a, other));
    const struct kextern *call = kernel_only_extern(k);
    assert_string_equal(kextern_symbol(a, call->op), "sheaf_extern_own_F_");
    assert_string_equal(call->attrs[2].u.strings.v[1], "\n");
    /* It has an effect, and reads what it is given. */
    assert_false(kernel_simplify(k));
    assert_non_null(kernel_only_extern(k));
    assert_null(kernel_only_extern(parse(a, "kernel \"k\" { }")));
}

/* Numbers do not depend on the order in which values were made, and comments are skipped. */
static void test_numbering(void **state)
{
    struct arena *a = *state;
    struct kernel *k = parse(a, "kernel \"k\" { # a comment\n in @0 \"x\": f32[4] plain\n"
                                "out @1 \"y\": f32[4] plain\n"
                                "map %70 (%9 < 4) { %33 = load @0[%9] %2 = neg %33\n"
                                "store @1[%9] = %2 } }");
    assert_string_equal(print(a, k), "kernel \"k\" {\n"
                                     "  in @0 \"x\": f32[4] plain\n"
                                     "  out @1 \"y\": f32[4] plain\n"
                                     "  map %0 (%1 < 4) {\n"
                                     "    %2 = load @0[%1]\n"
                                     "    %3 = neg %2\n"
                                     "    store @1[%1] = %3\n"
                                     "  }\n"
                                     "}\n");
}

static void test_key(void **state)
{
    struct arena *a = *state;
    const char *form = "kernel \"%s\" {\n  in @0 \"%s\": f32[2] plain = {%s, 2.0}\n"
                       "  out @1 \"y\": f32[%d] plain\n"
                       "  %%0 = load @0[1]\n  store @1[0] = %%0\n}\n";
    struct kernel *one = parse(a, arena_printf(a, form, "one", "x", "1.0", 2));
    struct kernel *two = parse(a, arena_printf(a, form, "two", "z", "5.0", 2));
    struct kernel *other = parse(a, arena_printf(a, form, "one", "x", "1.0", 3));
    assert_string_equal(key(a, one), key(a, two));
    assert_string_not_equal(key(a, one), key(a, other));
    assert_string_not_equal(print(a, one), print(a, two));
}

static void test_literals(void **state)
{
    struct arena *a = *state;
    struct kernel *k = kernel_create(a, "literals");
    kernel_add_buf(k, "f", DTYPE_F32, KBUF_OUT, 0, NULL);
    kernel_add_buf(k, "d", DTYPE_F64, KBUF_OUT, 0, NULL);
    kernel_add_buf(k, "h", DTYPE_F16, KBUF_OUT, 0, NULL);
    const double values[] = {0.1,   1.0 / 3, 16777216, 1e10,  3.4028234663852886e38,
                             -0.0,  1e-45,   INFINITY, -1e-7, 5e-324,
                             65504, 6e-8,    2.5,      1e300};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        kernel_store(k, 0, NULL, kernel_const_float(k, DTYPE_F32, values[i]));
        kernel_store(k, 1, NULL, kernel_const_float(k, DTYPE_F64, values[i]));
        kernel_store(k, 2, NULL, kernel_const_float(k, DTYPE_F16, values[i]));
    }
    kernel_store(k, 0, NULL, kernel_const_float(k, DTYPE_F32, NAN));
    struct kernel *back = parse(a, print(a, k));
    assert_string_equal(print(a, back), print(a, k));
    assert_int_equal(k->body.n, back->body.n);
    for (size_t i = 0; i < k->body.n; i += 2) {
        const struct kinst *x = kernel_inst(k, k->body.insts[i]);
        const struct kinst *y = kernel_inst(back, back->body.insts[i]);
        assert_int_equal(x->op, KOP_CONST);
        assert_int_equal(x->type, y->type);
        assert_memory_equal(&x->imm.f, &y->imm.f, sizeof(double));
    }
}

static void test_parse_errors(void **state)
{
    struct arena *a = *state;
    const struct {
        const char *text, *message;
    } cases[] = {
        {"", "line 1: expected 'kernel'"},
        {"kernel \"k", "closing quote"},
        {"kernel \"k\" {", "ends inside a block"},
        {"kernel \"k\" {\n in @1 \"x\": f32[] plain }", "line 2: buffers are numbered"},
        {"kernel \"k\" { in @0 \"x\": f33[] plain }", "element type"},
        {"kernel \"k\" { in @0 \"x\": f32[1,1] abcd }", "layout"},
        {"kernel \"k\" { in @0 \"x\": f32[-1] plain }", "extent out of range"},
        {"kernel \"k\" { in @0 \"x\": f32[65] plain = {1.0} }", "more elements"},
        {"kernel \"k\" { in @0 \"x\": f32[1] plain = {1} }", "another type"},
        {"kernel \"k\" { %0 = load @0[] }", "buffer that does not exist"},
        {"kernel \"k\" { %0 = add 1, %5 }", "not defined before"},
        {"kernel \"k\" { %0 = add 1, 2 %0 = add 1, 2 }", "defined twice"},
        {"kernel \"k\" { %0 = add 1 }", "another number of operands"},
        {"kernel \"k\" { %0 = add 1, 2.0 }", "two operands of its type"},
        {"kernel \"k\" { %0 = frob 1 }", "expected an instruction"},
        {"kernel \"k\" { %0 = const 1 }", "does not write"},
        {"kernel \"k\" { add 1, 2 }", "without its number"},
        {"kernel \"k\" { extern \"F\" (0) -> () }", "expected '@'"},
        {"kernel \"k\" { extern \"F\" () -> () {ints \"i\" (0.5)} }", "expected"},
        {"kernel \"k\" { extern \"F\" () -> () {floats \"f\" (1)} }", "no float"},
        {"kernel \"k\" { extern \"F\" () -> () {names \"n\" ()} }", "kind of an attribute"},
        {"kernel \"k\" { %0 = extern \"F\" () -> () }", "has no value"},
        {"kernel \"k\" { %0 = add 300:u8, 1:u8 }", "does not fit its type"},
        {"kernel \"k\" { %0 = add 9223372036854775808, 1 }", "does not fit its type"},
        {"kernel \"k\" { %0 = neg infinite }", "expected"},
        {"kernel \"k\" { map %0 (%1 < 2.0) { } }", "extent that is not i64"},
        {"kernel \"k\" { %0, %1 = loop (%2 < 3) { } }", "another number of results"},
        {"kernel \"k\" { } x", "text after the kernel"},
        {"kernel \"k\" { %0 = reduce add lanes 3 (%1 < 4) from (1) { yield 1 } }",
         "power of two of lanes"},
        {"kernel \"k\" { %0 = reduce add (%1 < 4) from (1) { } }", "does not yield"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err;
        error_init(&err);
        if (kernel_parse(a, cases[i].text, &err))
            fail_msg("accepted: %s", cases[i].text);
        if (!strstr(err.text, cases[i].message))
            fail_msg("'%s' gives '%s', not '%s'", cases[i].text, err.text, cases[i].message);
    }
}

/* Every prefix of a text, and every text with one byte changed, ends in a kernel or in an error. */
static void test_parse_damaged(void **state)
{
    struct arena *a = *state;
    size_t n = strlen(all_regions);
    for (size_t i = 0; i + 1 < n; i++) {
        struct error err;
        error_init(&err);
        assert_null(kernel_parse(a, arena_strndup(a, all_regions, i), &err));
        assert_int_not_equal(err.status, SHEAF_OK);
    }
    const char with[] = "%@0}{\"-,9 ";
    for (size_t i = 0; i < n; i++) {
        for (size_t w = 0; w < sizeof with - 1; w++) {
            struct arena inner;
            struct error err;
            arena_init(&inner);
            error_init(&err);
            char *changed = arena_strdup(&inner, all_regions);
            changed[i] = with[w];
            struct kernel *k = kernel_parse(&inner, changed, &err);
            assert_true((k == NULL) == (err.status != SHEAF_OK));
            arena_done(&inner);
        }
    }
}

/* ---- builder ---- */

static void test_builder_folds(void **state)
{
    struct arena *a = *state;
    struct kernel *k = kernel_create(a, "fold");
    int64_t v;
    kval two = kernel_const_index(k, 2), three = kernel_const_index(k, 3);
    assert_true(kernel_is_const_int(k, kernel_binary(k, KOP_MUL, two, three), &v) && v == 6);
    assert_true(kernel_is_const_int(k, kernel_compare(k, KOP_LT, two, three), &v) && v == 1);
    kval extent = kernel_const_index(k, 5), i;
    kernel_map_begin(k, 1, &extent, &i);
    kval zero = kernel_const_index(k, 0), one = kernel_const_index(k, 1);
    assert_int_equal(kernel_binary(k, KOP_ADD, i, zero), i);
    assert_int_equal(kernel_binary(k, KOP_MUL, one, i), i);
    assert_int_equal(kernel_binary(k, KOP_MUL, i, zero), zero);
    assert_int_equal(kernel_cast(k, DTYPE_I64, i), i);
    kval x = kernel_cast(k, DTYPE_F32, i);
    kval f0 = kernel_const_float(k, DTYPE_F32, 0.0), m0 = kernel_const_float(k, DTYPE_F32, -0.0);
    /* -0 + 0 is 0, so only -0 may be dropped; 0 * NaN is NaN. */
    assert_int_not_equal(kernel_binary(k, KOP_ADD, x, f0), x);
    assert_int_equal(kernel_binary(k, KOP_ADD, x, m0), x);
    assert_int_not_equal(kernel_binary(k, KOP_MUL, x, f0), f0);
    kval yes = kernel_const_int(k, DTYPE_BOOL, 1);
    assert_int_equal(kernel_select(k, yes, i, zero), i);
    kernel_map_end(k);
    assert_true(kernel_inst(k, kernel_const_float(k, DTYPE_F16, 0.1))->imm.f == 0x1.998p-4);
    assert_true(kernel_inst(k, kernel_const_float(k, DTYPE_BF16, 0.1))->imm.f == 0x1.9ap-4);
    assert_true(kernel_inst(k, kernel_const(k, DTYPE_U8, 255))->imm.i == 255);
    assert_true(kernel_inst(k, kernel_const_int(k, DTYPE_I8, 255))->imm.i == -1);
}

static void test_affine(void **state)
{
    struct arena *a = *state;
    struct kernel *k = kernel_create(a, "affine");
    kval extent[2] = {kernel_const_index(k, 5), kernel_const_index(k, 6)}, i[2];
    struct kaffine r;
    kernel_map_begin(k, 2, extent, i);
    kval c3 = kernel_const_index(k, 3);
    kval v = kernel_binary(k, KOP_ADD, kernel_binary(k, KOP_MUL, c3, i[0]),
                           kernel_binary(k, KOP_SHL, i[1], kernel_const_index(k, 2)));
    v = kernel_binary(k, KOP_SUB, v, kernel_const_index(k, 7));
    v = kernel_binary(k, KOP_SUB, v, kernel_unary(k, KOP_NEG, i[0]));
    assert_true(kernel_affine_of(k, v, &r));
    assert_int_equal(r.offset, -7);
    assert_int_equal(r.n_terms, 2);
    assert_int_equal(r.term[0].var, i[0]);
    assert_int_equal(r.term[0].coef, 4);
    assert_int_equal(r.term[1].coef, 4);
    assert_true(kernel_affine_of(k, kernel_binary(k, KOP_SUB, i[0], i[0]), &r));
    assert_int_equal(r.n_terms, 0);
    assert_false(kernel_affine_of(k, kernel_binary(k, KOP_MUL, i[0], i[1]), &r));
    assert_false(kernel_affine_of(k, kernel_binary(k, KOP_DIV, i[0], c3), &r));
    kernel_map_end(k);
}

/* ---- validator ---- */

static void test_validator(void **state)
{
    struct arena *a = *state;
    const char *bufs = "in @0 \"x\": f32[4] plain\n  out @1 \"y\": f32[4] plain\n"
                       "  in @2 \"n\": i32[] plain\n  in @3 \"i\": i64[4] plain\n";
    const struct {
        const char *body, *message;
    } cases[] = {
        {"store @0[0] = 1.0", "writes an input buffer"},
        {"%0 = load @0[4]", "index outside its buffer"},
        {"%0 = load @0[1.0]", "index that is not i64"},
        {"store @1[0] = 1", "value of another type"},
        {"%0 = and 1.0, 2.0", "does not exist for its type"},
        {"%0 = sqrt 4", "does not exist for its type"},
        {"%0 = add true, true", "does not exist for its type"},
        {"%0 = add 1:f8e5m2, 1:f8e5m2", "does not exist for its type"},
        {"%0 = eq 1:f4e2m1, 1:f4e2m1", "does not exist for its operands' type"},
        {"%0 = cast f32 1:f8e8m0", "does not exist for coded types"},
        {"%0 = select 1, 2, 3", "needs a bool"},
        {"%0 = bitcast i64 1.0", "same width"},
        {"extern \"F\" (@0) -> (@0)", "writes an input buffer"},
        {"extern \"F\" (@1) -> (@1)", "reads what is no input"},
        {"extern \"F\" () -> (@9)", "names no buffer"},
        {"map %0 (%1 < 4) { extern \"F\" (@0) -> () }", "does not stand in the body"},
        {"yield 1", "yields where it must not"},
        {"map %0 (%1 < 4) { yield 1 }", "yields where it must not"},
        {"map %0 (%1 < 4) { %2 = neg %1 } %3 = neg %2", "not visible there"},
        {"%0 = loop (%1 < 4) with (%2 = 1) { yield 1.0 }", "another type than it must"},
        {"%0 = loop (%1 < 4, %2 < 4) with (%3 = 1) { yield 1 }", "needs one index"},
        {"%0 = reduce and (%1 < 4) from (1.0) { yield 1.0 }", "does not exist for its type"},
        {"%0 = reduce add lanes 2 (%1 < 4, %2 < 4) from (1) { yield 1 }", "power of two"},
        {"%0 = if (true) { yield 1 } else { yield 1.0 }", "another type than it must"},
        {"%0 = if (true) { yield 1 }", "does not yield its values"},
        {"sort %0 (%1 < 4) { yield %1 } before (%2, %3) { yield true } each (%4) { }",
         "needs two indices"},
        {"%0 = load @3[0] sort %1 (%2 < %0, %3 < 4) { yield %2 } before (%4, %5) { yield true }"
         " each (%6) { }",
         "no bound"},
        {"%0 = load @3[0] map %7 (%8 < %0) { sort %1 (%2 < 4, %3 < 4) { yield %2 }"
         " before (%4, %5) { yield true } each (%6) { } }",
         "no bound"},
        {"sort %0 (%1 < 4, %2 < 4) { yield %2 } before (%3, %4) { yield true } each (%5) { }",
         "not visible there"},
        {"sort %0 (%1 < 4, %2 < 4) { yield %1 } before (%3, %4) { %6 = lt %1, %3 yield %6 }"
         " each (%5) { }",
         "not visible there"},
        {"sort %0 (%1 < 4, %2 < 4) { yield %1 } before (%3, %4) { yield %3 } each (%5) { }",
         "another type than it must"},
        {"sort %0 (%1 < 4, %2 < 4) { yield %1 } before (%3, %4) { store @1[0] = 1.0 yield true }"
         " each (%5) { }",
         "stores where it must only compute"},
        {"sort %0 (%1 < 4, %2 < 4) { } before () { yield true } each () { }", "not yielded"},
        {"contract %0 f32 (m %1 < 4, k %2 < 4) { a @0[%1 + %2] b @0[%2] epilogue (%3) { } }",
         "reads outside an operand"},
        {"contract %0 f32 (m %1 < 4, k %2 < 4) { a @0[%2] b @0[%1] epilogue (%3) { } }",
         "the other one's index"},
        {"contract %0 f32 (m %1 < 4, k %2 < 4) { a @0[%1] pad 0 b @0[%2] epilogue (%3) { } }",
         "operand's type, the same for all, as pad value"},
        {"contract %0 i64 (m %1 < 4, k %2 < 4) { a @3[%1] pad %1 b @3[%2] epilogue (%3) { } }",
         "operand's type, the same for all, as pad value"},
        {"contract %0 f32 (m %1 < 4, k %2 < 4) { a @0[%1] b @0[%2] epilogue (%3) {"
         " store @1[%2] = %3 } }",
         "not visible there"},
        {"%0 = load @2[] %1 = cast i64 %0\n"
         "contract %2 f32 (m %3 < 4, k %4 < %1) { a @0[%3] b @0[%4] epilogue (%5) { } }",
         "no constant"},
        {"contract %0 i32 (k %1 < 4) { a @0[%1] prologue (%2) { yield %2 } b @0[%1] "
         "epilogue (%3) { } }",
         "another type than it must"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err;
        error_init(&err);
        const char *text = arena_printf(a, "kernel \"k\" {\n  %s  %s\n}\n", bufs, cases[i].body);
        if (kernel_parse(a, text, &err))
            fail_msg("accepted: %s", cases[i].body);
        if (!strstr(err.text, cases[i].message))
            fail_msg("'%s' gives '%s', not '%s'", cases[i].body, err.text, cases[i].message);
    }
}

/* Faults that the text form cannot express. */
static void test_validator_by_hand(void **state)
{
    struct arena *a = *state;
    struct error err;
    struct kernel *k = parse(a, all_regions);
    k->bufs[4].extent_buf[1] = 0;
    error_init(&err);
    assert_false(kernel_validate(k, &err));
    assert_non_null(strstr(err.text, "no i64 scalar"));

    k = parse(a, all_regions);
    k->body.insts[k->body.n - 1] = k->body.insts[0];
    error_init(&err);
    assert_false(kernel_validate(k, &err));
    assert_non_null(strstr(err.text, "in two places"));

    k = parse(a, all_regions);
    k->bufs[0].layout = layout_plain(3);
    error_init(&err);
    assert_false(kernel_validate(k, &err));
    assert_non_null(strstr(err.text, "layout of another rank"));
}

/* ---- scalars ---- */

static union kscalar si(int64_t v)
{
    union kscalar s;
    s.i = v;
    return s;
}

static union kscalar sf(double v)
{
    union kscalar s;
    s.f = v;
    return s;
}

static void test_scalars(void **state)
{
    (void)state;
    assert_true(kscalar_binary(KOP_DIV, DTYPE_I32, si(INT32_MIN), si(-1)).i == INT32_MIN);
    assert_true(kscalar_binary(KOP_DIV, DTYPE_I64, si(INT64_MIN), si(-1)).i == INT64_MIN);
    assert_true(kscalar_binary(KOP_DIV, DTYPE_I8, si(7), si(0)).i == 0);
    assert_true(kscalar_binary(KOP_REM, DTYPE_I32, si(INT32_MIN), si(-1)).i == 0);
    assert_true(kscalar_binary(KOP_REM, DTYPE_I32, si(-7), si(3)).i == -1);
    assert_true(kscalar_binary(KOP_REM, DTYPE_I32, si(7), si(0)).i == 0);
    assert_true(kscalar_binary(KOP_ADD, DTYPE_U8, si(255), si(2)).i == 1);
    assert_true(kscalar_binary(KOP_MUL, DTYPE_I4, si(7), si(7)).i == 1);
    assert_true(kscalar_binary(KOP_MIN, DTYPE_U64, si(-1), si(1)).i == 1);
    assert_true(kscalar_binary(KOP_SHR, DTYPE_I16, si(-5), si(1)).i == -3);
    assert_true(kscalar_binary(KOP_MIN, DTYPE_F32, sf(NAN), sf(1)).f == 1);
    assert_true(isnan(kscalar_binary(KOP_MIN, DTYPE_F32, sf(1), sf(NAN)).f));
    assert_true(kscalar_cast(DTYPE_I8, DTYPE_F32, sf(1e9)).i == 127);
    assert_true(kscalar_cast(DTYPE_I8, DTYPE_F32, sf(-INFINITY)).i == -128);
    assert_true(kscalar_cast(DTYPE_U8, DTYPE_F32, sf(-0.9)).i == 0);
    assert_true(kscalar_cast(DTYPE_I32, DTYPE_F32, sf(NAN)).i == 0);
    assert_true(kscalar_cast(DTYPE_U64, DTYPE_F64, sf(1e30)).i == -1);
    assert_true(kscalar_cast(DTYPE_I64, DTYPE_F64, sf(0x1p63)).i == INT64_MAX);
    assert_true(kscalar_cast(DTYPE_BOOL, DTYPE_F32, sf(NAN)).i == 1);
    assert_true(kscalar_cast(DTYPE_F32, DTYPE_U64, si(-1)).f == 0x1p64);
    /* One rounding: 2^54 + 1 ulp of bf16's half way point, plus one. */
    int64_t halfway = (INT64_C(1) << 54) + (INT64_C(1) << 46);
    assert_true(kscalar_cast(DTYPE_BF16, DTYPE_I64, si(halfway)).f == 0x1p54);
    assert_true(kscalar_cast(DTYPE_BF16, DTYPE_I64, si(halfway + 1)).f == 0x1.02p54);
    assert_true(kscalar_round(DTYPE_F16, 1 + 0x1p-11 + 0x1p-40) == 1 + 0x1p-10);
    assert_true(kscalar_round(DTYPE_F16, 1 + 0x1p-11) == 1);
    assert_true(kscalar_round(DTYPE_F16, 65520) == INFINITY);
    assert_true(kscalar_bitcast(DTYPE_I32, DTYPE_F32, sf(-2)).i == (int32_t)0xc0000000);
    uint8_t nibbles[2] = {0, 0};
    kscalar_write(DTYPE_I4, nibbles, 1, si(-3));
    kscalar_write(DTYPE_I4, nibbles, 2, si(5));
    assert_int_equal(nibbles[0], 0xd0);
    assert_int_equal(nibbles[1], 0x05);
    assert_true(kscalar_read(DTYPE_I4, nibbles, 1).i == -3);
    assert_true(kscalar_read(DTYPE_U4, nibbles, 1).i == 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_extern, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numbering, setup, teardown),
        cmocka_unit_test_setup_teardown(test_key, setup, teardown),
        cmocka_unit_test_setup_teardown(test_literals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_parse_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_parse_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_builder_folds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_affine, setup, teardown),
        cmocka_unit_test_setup_teardown(test_validator, setup, teardown),
        cmocka_unit_test_setup_teardown(test_validator_by_hand, setup, teardown),
        cmocka_unit_test(test_scalars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
