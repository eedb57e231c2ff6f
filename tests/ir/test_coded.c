/*
 * Floats of at most 8 bits: what their codes stand for, and that kernels convert them as dtype.h
 * does, in every place where rounding turns.
 */
#include "tests/ir/ops_run.h"

static const enum dtype TYPES[] = {DTYPE_F8E4M3FN,   DTYPE_F8E4M3FNUZ, DTYPE_F8E5M2,
                                   DTYPE_F8E5M2FNUZ, DTYPE_F8E8M0,     DTYPE_F4E2M1};
enum { N_TYPES = sizeof TYPES / sizeof *TYPES };

/* Results of a cast of constants; the text of the constants may be long. */
static struct tensor cast(struct run *r, enum dtype from, const char *numbers, int64_t n,
                          enum dtype to, const char *attributes)
{
    struct strbuf body;
    struct arena a;
    arena_init(&a);
    strbuf_init(&body, &a);
    strbuf_printf(&body, "const %%x %s [%lld] = {%s} %%y = cast (%%x) {to=%d%s} return %%y",
                  dtype_name(from), (long long)n, numbers, (int)dtype_code(to), attributes);
    run_begin(r, strbuf_text(&body));
    run_once(r);
    arena_done(&a);
    return output_tensor(r, 0);
}

static void test_values(void **state)
{
    (void)state;
    static const struct {
        enum dtype type;
        unsigned code;
        double value;
    } cases[] = {
        {DTYPE_F8E4M3FN, 0x01, 0x1p-9},    {DTYPE_F8E4M3FN, 0x38, 1},
        {DTYPE_F8E4M3FN, 0x7e, 448},       {DTYPE_F8E4M3FN, 0xfe, -448},
        {DTYPE_F8E4M3FN, 0x7f, NAN},       {DTYPE_F8E4M3FNUZ, 0x01, 0x1p-10},
        {DTYPE_F8E4M3FNUZ, 0x40, 1},       {DTYPE_F8E4M3FNUZ, 0xff, -240},
        {DTYPE_F8E4M3FNUZ, 0x80, NAN},     {DTYPE_F8E5M2, 0x01, 0x1p-16},
        {DTYPE_F8E5M2, 0x3c, 1},           {DTYPE_F8E5M2, 0x7b, 57344},
        {DTYPE_F8E5M2, 0xfc, -INFINITY},   {DTYPE_F8E5M2, 0x7d, NAN},
        {DTYPE_F8E5M2FNUZ, 0x01, 0x1p-17}, {DTYPE_F8E5M2FNUZ, 0x40, 1},
        {DTYPE_F8E5M2FNUZ, 0x7f, 57344},   {DTYPE_F8E5M2FNUZ, 0x80, NAN},
        {DTYPE_F8E8M0, 0x00, 0x1p-127},    {DTYPE_F8E8M0, 0x7f, 1},
        {DTYPE_F8E8M0, 0xfe, 0x1p127},     {DTYPE_F8E8M0, 0xff, NAN},
        {DTYPE_F4E2M1, 0x1, 0.5},          {DTYPE_F4E2M1, 0x2, 1},
        {DTYPE_F4E2M1, 0xf, -6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double v = dtype_decode(cases[i].type, cases[i].code);
        assert_true(v == cases[i].value || (isnan(v) && isnan(cases[i].value)));
        if (!isnan(v) && !isinf(v))
            assert_int_equal(dtype_encode(cases[i].type, v), cases[i].code);
    }
    assert_int_equal(dtype_encode(DTYPE_F8E4M3FN, -0.0), 0x80);
    assert_int_equal(dtype_encode(DTYPE_F8E4M3FNUZ, -0.0), 0);
    assert_int_equal(dtype_encode(DTYPE_F8E5M2, -INFINITY), 0xfb);
    assert_int_equal(dtype_encode(DTYPE_F4E2M1, 2.5), 4);
}

static void test_every_code(void **state)
{
    (void)state;
    for (int t = 0; t < N_TYPES; t++) {
        struct strbuf numbers;
        struct arena a;
        struct run r;
        int n = 1 << dtype_bits(TYPES[t]);
        arena_init(&a);
        strbuf_init(&numbers, &a);
        for (int i = 0; i < n; i++)
            strbuf_printf(&numbers, "%s%d", i ? ", " : "", i);
        struct tensor y = cast(&r, TYPES[t], strbuf_text(&numbers), n, DTYPE_F32, "");
        for (int i = 0; i < n; i++) {
            double got = tensor_get(&y, i), want = dtype_decode(TYPES[t], (unsigned)i);
            assert_true(got == want ? !signbit(got) == !signbit(want) : isnan(got) && isnan(want));
        }
        arena_done(&r.arena);
        arena_done(&a);
    }
}

/* The middle of each two neighbours, and what is next to it on both sides, of both signs. */
static void check_rounding(enum dtype from, enum dtype to)
{
    struct strbuf numbers;
    struct arena a;
    struct run r;
    double x[6 * 256];
    int n = 0;
    arena_init(&a);
    strbuf_init(&numbers, &a);
    for (unsigned code = 0; code < dtype_format(to).largest; code++) {
        double middle = (dtype_decode(to, code) + dtype_decode(to, code + 1)) / 2;
        for (int side = -1; side <= 1; side++)
            for (int sign = -1; sign <= 1 && dtype_format(to).sign; sign += 2) {
                double far = side * (double)INFINITY;
                double next = from == DTYPE_F64 ? nextafter(middle, far)
                                                : (double)nextafterf((float)middle, (float)far);
                x[n] = sign * (side ? next : middle);
                strbuf_printf(&numbers, "%s%.17g", n ? ", " : "", x[n]);
                n++;
            }
    }
    struct tensor y = cast(&r, from, strbuf_text(&numbers), n, to, "");
    for (int i = 0; i < n; i++)
        assert_int_equal(tensor_get_int(&y, i), dtype_encode(to, x[i]));
    arena_done(&r.arena);
    arena_done(&a);
}

static void test_rounding(void **state)
{
    (void)state;
    for (int t = 0; t < N_TYPES; t++)
        if (TYPES[t] != DTYPE_F8E8M0) {
            check_rounding(DTYPE_F32, TYPES[t]);
            check_rounding(DTYPE_F64, TYPES[t]);
        }
}

#define SPECIAL "const %x f32 [6] = {inf, -inf, " NAN_TEXT ", 1e6, -0, 465} %y = cast (%x) "

static void check_codes(const char *body, const char *type, const int64_t *want, size_t n)
{
    struct run r;
    run_begin(&r, body);
    run_once(&r);
    struct tensor t = output_tensor(&r, 0);
    assert_string_equal(dtype_name(t.dtype), type);
    assert_int_equal(tensor_elems(&t), n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(tensor_get_int(&t, (int64_t)i), want[i]);
    arena_done(&r.arena);
}

#define CODES(body, type, ...)                                                                     \
    do {                                                                                           \
        const int64_t want_[] = {__VA_ARGS__};                                                     \
        check_codes(body, type, want_, sizeof want_ / sizeof *want_);                              \
    } while (0)

static void test_special(void **state)
{
    (void)state;
    CODES(SPECIAL "{to=17} return %y", "f8e4m3fn", 0x7e, 0xfe, 0x7f, 0x7e, 0x80, 0x7e);
    CODES(SPECIAL "{to=17, saturate=0} return %y", "f8e4m3fn", 0x7f, 0xff, 0x7f, 0x7f, 0x80, 0x7f);
    CODES(SPECIAL "{to=18} return %y", "f8e4m3fnuz", 0x7f, 0xff, 0x80, 0x7f, 0, 0x7f);
    CODES(SPECIAL "{to=18, saturate=0} return %y", "f8e4m3fnuz", 0x80, 0x80, 0x80, 0x80, 0, 0x80);
    CODES(SPECIAL "{to=19} return %y", "f8e5m2", 0x7b, 0xfb, 0x7e, 0x7b, 0x80, 0x5f);
    CODES(SPECIAL "{to=19, saturate=0} return %y", "f8e5m2", 0x7c, 0xfc, 0x7e, 0x7c, 0x80, 0x5f);
    CODES(SPECIAL "{to=20} return %y", "f8e5m2fnuz", 0x7f, 0xff, 0x80, 0x7f, 0, 0x63);
    CODES(SPECIAL "{to=20, saturate=0} return %y", "f8e5m2fnuz", 0x80, 0x80, 0x80, 0x80, 0, 0x63);
    CODES(SPECIAL "{to=23, saturate=0} return %y", "f4e2m1", 7, 15, 8, 7, 8, 7);
    /* 464 is the middle between 448 and what would be the next number: it goes to the even one. */
    CODES("const %x f64 [2] = {464, 464.00000000001} %y = cast (%x) {to=17, saturate=0} return %y",
          "f8e4m3fn", 0x7e, 0x7f);
    CODES("const %x f64 [3] = {1e300, -1e300, 1e-300} %y = cast (%x) {to=19, saturate=0} return %y",
          "f8e5m2", 0x7c, 0xfc, 0);
    CODES("const %x u64 [1] = {18446744073709551615} %y = cast (%x) {to=17} return %y", "f8e4m3fn",
          0x7e);
}

#define POWERS                                                                                     \
    "const %x f32 [10] = {0, 1, 1.25, 1.5, 3, inf, 3e38, 5.9e-39, 1e-39, 8.9e-39} %y = cast (%x) "

static void test_powers(void **state)
{
    (void)state;
    CODES(POWERS "{to=24} return %y", "f8e8m0", 0, 127, 128, 128, 129, 254, 254, 1, 0, 1);
    CODES(POWERS "{to=24, round_mode=\"down\"} return %y", "f8e8m0", 0, 127, 127, 127, 128, 254,
          254, 0, 0, 0);
    CODES(POWERS "{to=24, round_mode=\"nearest\"} return %y", "f8e8m0", 0, 127, 127, 128, 129, 254,
          254, 0, 0, 1);
    CODES(POWERS "{to=24, round_mode=\"nearest\", saturate=0} return %y", "f8e8m0", 255, 127, 127,
          128, 129, 255, 255, 0, 255, 1);
    CODES("const %x f64 [3] = {1.0000000000001, 1e300, 5e-324} %y = cast (%x) {to=24} return %y",
          "f8e8m0", 128, 254, 0);
    refused("input %x f32 [1] %y = cast (%x) {to=24, round_mode=\"odd\"} return %y",
            "round_mode 'odd' is not known");
}

static void test_two_bits(void **state)
{
    (void)state;
    CHECK("const %x f32 [7] = {-3, -2, -1.9, 0, 1, 2, 7} %y = cast (%x) {to=26} return %y",
          "i2 [7]", 1, -2, -1, 0, 1, -2, -1);
    CHECK("const %x i32 [5] = {-1, 0, 3, 4, 6} %y = cast (%x) {to=25} return %y", "u2 [5]", 3, 0, 3,
          0, 2);
    CHECK("const %x i2 [5] = {-2, -1, 0, 1, -2} %y = cast (%x) {to=6} return %y", "i32 [5]", -2, -1,
          0, 1, -2);
    CHECK("const %x f8e4m3fn [2] = {72, 184} %y = cast (%x) {to=26} return %y", "i2 [2]", 0, -1);
}

/* Operators that move elements take every type. */
static void test_moves(void **state)
{
    (void)state;
    CODES("const %x f8e4m3fn [2,2] = {1, 127, 255, 128} const %p i64 [4] = {1, 0, 0, 0}"
          "%t = transpose (%x) %c = concat (%t, %x) {axis=0} %i = identity (%c)"
          "%y = pad (%i, %p) return %y",
          "f8e4m3fn", 0, 0, 1, 255, 127, 128, 1, 127, 255, 128);
    CODES("const %s i64 [1] = {3} %y = constant_of_shape (%s) {value=f4e2m1 [] {9}} return %y",
          "f4e2m1", 9, 9, 9);
    refused("input %x f8e5m2 [1] %y = relu (%x) return %y",
            "relu does not take input 'x' of type f8e5m2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),   cmocka_unit_test(test_every_code),
        cmocka_unit_test(test_rounding), cmocka_unit_test(test_special),
        cmocka_unit_test(test_powers),   cmocka_unit_test(test_two_bits),
        cmocka_unit_test(test_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
