/*
 * The operator rescale: cases worked out by hand as in test_ops, and random ones beside plain C
 * with 128-bit integers.
 */
#include "tests/ir/ops_run.h"

#include "tests/support/random.h"

__extension__ typedef __int128 wide;

#define RESCALE(x, m, s, attrs)                                                                    \
    "const %x " x " const %m i32 " m " const %s i8 " s " %y = rescale (%x, %m, %s) {" attrs        \
    "} return %y"

static void test_rescale_rounding(void **state)
{
    (void)state;
#define QUARTERS(attrs)                                                                            \
    RESCALE("i32 [9] = {-7, -6, -5, -2, 0, 2, 5, 6, 7}", "[] = {1}", "[] = {2}", attrs)
    CHECK(QUARTERS("to=3"), "i8 [9]", -2, -1, -1, 0, 0, 1, 1, 2, 2);
    CHECK(QUARTERS("to=3, y_zero_point=1"), "i8 [9]", -1, 0, 0, 1, 1, 2, 2, 3, 3);
    CHECK(QUARTERS("to=3, rounding=\"even\""), "i8 [9]", -2, -2, -1, 0, 0, 0, 1, 2, 2);
    CHECK(QUARTERS("to=3, rounding=\"even\", y_zero_point=1"), "i8 [9]", -1, 0, 0, 0, 1, 2, 2, 2,
          3);
    CHECK(QUARTERS("to=7, rounding=\"even\", bound=7"), "i64 [9]", -2, -2, -1, 0, 0, 0, 1, 2, 2);
}

static void test_rescale_zero_points(void **state)
{
    (void)state;
    /* u8 around 128 to i8 and back: the same numbers. */
    CHECK(RESCALE("u8 [3] = {0, 128, 255}", "[] = {1}", "[] = {0}", "to=3, x_zero_point=128"),
          "i8 [3]", -128, 0, 127);
    CHECK(RESCALE("i8 [3] = {-128, 0, 127}", "[] = {1}", "[] = {0}", "to=2, y_zero_point=128"),
          "u8 [3]", 0, 128, 255);
    CHECK(RESCALE("u8 [3] = {0, 128, 255}", "[] = {1}", "[] = {0}",
                  "to=3, x_zero_point=7, y_zero_point=7"),
          "i8 [3]", 0, 127, 127);
    /* (x - 3) * 3 / 2 + 10 */
    CHECK(RESCALE("u8 [4] = {0, 3, 4, 200}", "[] = {3}", "[] = {1}",
                  "to=2, x_zero_point=3, y_zero_point=10"),
          "u8 [4]", 6, 10, 12, 255);
}

static void test_rescale_saturates(void **state)
{
    (void)state;
#define WIDE(attrs)                                                                                \
    RESCALE("i64 [4] = {-9223372036854775808, 9223372036854775807, -4294967296, 5}", "[] = {1}",   \
            "[] = {0}", attrs)
    CHECK(WIDE("to=3"), "i8 [4]", -128, 127, -128, 5);
    CHECK(WIDE("to=2"), "u8 [4]", 0, 255, 0, 5);
    CHECK(WIDE("to=5"), "i16 [4]", -32768, 32767, -32768, 5);
    CHECK(WIDE("to=4"), "u16 [4]", 0, 65535, 0, 5);
    CHECK(WIDE("to=6"), "i32 [4]", -2147483648., 2147483647, -2147483648., 5);
}

static void test_rescale_extreme_shifts(void **state)
{
    (void)state;
    CHECK(RESCALE("i32 [5] = {2147483647, 1073741824, -2147483648, 1073741825, 0}",
                  "[] = {2147483647}", "[] = {62}", "to=3"),
          "i8 [5]", 1, 0, -1, 1, 0);
    /* Exactly in the middle. */
    CHECK(RESCALE("i32 [1] = {-2147483648}", "[] = {1073741824}", "[] = {62}", "to=3"), "i8 [1]",
          0);
    CHECK(RESCALE("i32 [1] = {-2147483648}", "[] = {1073741824}", "[] = {62}",
                  "to=3, rounding=\"even\", y_zero_point=-1"),
          "i8 [1]", -2);
    CHECK(RESCALE("i32 [2] = {3, -3}", "[] = {7}", "[] = {0}", "to=7"), "i64 [2]", 21, -21);
    CHECK(RESCALE("i32 [2] = {3, -3}", "[] = {-7}", "[] = {0}", "to=7"), "i64 [2]", -21, 21);
    CHECK(RESCALE("i32 [2] = {3, -3}", "[] = {0}", "[] = {31}", "to=3, y_zero_point=9"), "i8 [2]",
          9, 9);
}

static void test_rescale_per_channel(void **state)
{
    (void)state;
    CHECK(RESCALE("i32 [2,2] = {10, 10, 11, 11}", "[2] = {1, 3}", "[2] = {1, 2}", "to=3"),
          "i8 [2,2]", 5, 8, 6, 8);
    CHECK(RESCALE("i32 [2,2] = {10, 10, 11, 11}", "[2] = {1, 3}", "[] = {1}", "to=3, axis=0"),
          "i8 [2,2]", 5, 5, 17, 17);
    /* Shift 0 among others, where nothing is rounded. */
    CHECK(RESCALE("i32 [2,2] = {9, 9, -10, -10}", "[] = {1}", "[2] = {0, 2}",
                  "to=3, rounding=\"even\""),
          "i8 [2,2]", 9, 2, -10, -2);
}

static void test_rescale_refused(void **state)
{
    (void)state;
    refused(RESCALE("i64 [1] = {1}", "[] = {3}", "[] = {0}", "to=3"), "may pass 64 bits");
    refused(RESCALE("i64 [1] = {1}", "[] = {1}", "[] = {1}", "to=3"), "may pass 64 bits");
    refused(RESCALE("i64 [1] = {1}", "[] = {3}", "[] = {62}", "bound=3000000000000000000"),
            "may pass 64 bits");
    refused(RESCALE("i32 [1] = {1}", "[] = {1}", "[] = {63}", "to=3"), "shift 63 is not within");
    refused(RESCALE("i32 [1] = {1}", "[] = {1}", "[] = {-1}", "to=3"), "shift -1 is not within");
    refused(RESCALE("i32 [1] = {1}", "[] = {1}", "[] = {1}", "to=1"), "to ONNX type 1 is not");
    refused(RESCALE("i32 [1] = {1}", "[] = {1}", "[] = {1}", "rounding=\"down\""),
            "rounding 'down' is not known");
    refused(RESCALE("u8 [1] = {1}", "[] = {1}", "[] = {1}", "x_zero_point=256"),
            "x_zero_point 256 is no u8");
    refused(RESCALE("u8 [1] = {1}", "[] = {1}", "[] = {1}", "y_zero_point=128"),
            "y_zero_point 128 is no i8");
    refused(RESCALE("u8 [1] = {1}", "[] = {1}", "[] = {1}", "bound=-1"), "bound -1 is negative");
    refused(RESCALE("i32 [1,2] = {1, 1}", "[3] = {1, 1, 1}", "[] = {1}", "to=3"),
            "dimension 0 of input 'm' is 3 where 2 is needed");
    refused("const %x i32 [1] = {1} input %m i32 [] const %s i8 [] = {1}"
            "%y = rescale (%x, %m, %s) return %y",
            "input 'm' must be constant");
}

static const enum dtype int_types[] = {DTYPE_I8,  DTYPE_U8,  DTYPE_I16,
                                       DTYPE_U16, DTYPE_I32, DTYPE_I64};

static int64_t random_of(uint64_t *seed, int64_t lo, int64_t hi)
{
    uint64_t bits =
        (uint64_t)random_next(seed) << 62 ^ (uint64_t)random_next(seed) << 31 ^ random_next(seed);
    switch (random_below(seed, 6)) {
    case 0:
        return lo;
    case 1:
        return hi;
    case 2: /* small */
        return lo <= -3 && hi >= 3 ? random_below(seed, 7) - 3 : lo;
    default: {
        uint64_t span = (uint64_t)hi - (uint64_t)lo + 1;
        return (int64_t)((uint64_t)lo + (span ? bits % span : bits));
    }
    }
}

static int64_t rescaled(int64_t x, int64_t xz, int64_t m, int shift, int64_t yz, bool even,
                        enum dtype to)
{
    wide t = ((wide)x - xz) * m, unit = (wide)1 << shift, y = t / unit;
    if (y * unit > t)
        y--; /* floor */
    wide rest = 2 * (t - y * unit);
    bool up = even ? rest > unit || (rest == unit && ((y + yz) & 1)) : rest >= unit;
    y += yz + up;
    if (y < dtype_int_min(to))
        y = dtype_int_min(to);
    if (y > dtype_int_max(to))
        y = dtype_int_max(to);
    return (int64_t)y;
}

enum { RANDOM_ELEMS = 16, RANDOM_CHANNELS = 2 };

/* One random node; returns whether it was accepted. */
static bool try_rescale(uint64_t *seed)
{
    enum dtype from = int_types[random_below(seed, 6)], to = int_types[random_below(seed, 6)];
    bool even = random_below(seed, 2), per_channel = random_below(seed, 2);
    int64_t xz = random_below(seed, 2) ? 0 : random_of(seed, dtype_int_min(from), 100);
    int64_t yz = random_below(seed, 2) ? 0 : random_of(seed, dtype_int_min(to), 100);
    int64_t bound = from == DTYPE_I64 ? (int64_t)1 << random_below(seed, 62) : 0;
    int64_t lo = bound ? xz - bound : dtype_int_min(from), hi = bound ? xz + bound : 0;
    int64_t m[RANDOM_CHANNELS], shift[RANDOM_CHANNELS], x[RANDOM_ELEMS];
    if (from == DTYPE_I64 && xz < -100)
        xz = 0;
    lo = bound ? xz - bound : dtype_int_min(from);
    hi = bound ? xz + bound : dtype_int_max(from);
    struct arena a;
    struct strbuf text;
    arena_init(&a);
    strbuf_init(&text, &a);
    for (int c = 0; c < RANDOM_CHANNELS; c++) {
        m[c] = per_channel || !c ? random_of(seed, -INT32_MAX, INT32_MAX) : m[0];
        if (random_below(seed, 3) == 0)
            m[c] = per_channel || !c ? 1 + random_below(seed, 100) : m[0];
        shift[c] = per_channel || !c ? random_below(seed, 63) : shift[0];
    }
    strbuf_printf(&text, "const %%x %s [%d,%d] = {", dtype_name(from),
                  RANDOM_ELEMS / RANDOM_CHANNELS, RANDOM_CHANNELS);
    for (int i = 0; i < RANDOM_ELEMS; i++) {
        x[i] = random_of(seed, lo, hi);
        /* About the middle between two results. */
        int c = i % RANDOM_CHANNELS;
        wide mid = m[c] ? (((wide)1 << shift[c]) >> 1) / m[c] + xz : 0;
        if (random_below(seed, 4) == 0 && mid >= lo && mid <= hi)
            x[i] = (int64_t)mid;
        strbuf_printf(&text, "%s%lld", i ? ", " : "", (long long)x[i]);
    }
    strbuf_printf(&text, "} const %%m i32 %s = {%lld", per_channel ? "[2]" : "[]", (long long)m[0]);
    if (per_channel)
        strbuf_printf(&text, ", %lld", (long long)m[1]);
    strbuf_printf(&text, "} const %%s i8 %s = {%lld", per_channel ? "[2]" : "[]",
                  (long long)shift[0]);
    if (per_channel)
        strbuf_printf(&text, ", %lld", (long long)shift[1]);
    strbuf_printf(&text,
                  "} %%y = rescale (%%x, %%m, %%s) {x_zero_point=%lld, y_zero_point=%lld, to=%d, "
                  "rounding=\"%s\", bound=%lld} return %%y",
                  (long long)xz, (long long)yz, (int)dtype_code(to), even ? "even" : "up",
                  (long long)bound);
    struct run r;
    bool ok = run_try(&r, strbuf_text(&text));
    if (ok) {
        struct tensor y = output_tensor(&r, 0);
        for (int i = 0; i < RANDOM_ELEMS; i++) {
            int c = i % RANDOM_CHANNELS;
            int64_t want = rescaled(x[i], xz, m[c], (int)shift[c], yz, even, to);
            if (tensor_get_int(&y, i) != want)
                fail_msg("element %d is %lld, not %lld, of: %s", i,
                         (long long)tensor_get_int(&y, i), (long long)want, strbuf_text(&text));
        }
    }
    arena_done(&r.arena);
    arena_done(&a);
    return ok;
}

static void test_rescale_random(void **state)
{
    (void)state;
    uint64_t seed = 7;
    int accepted = 0;
    for (int i = 0; i < 3000; i++)
        accepted += try_rescale(&seed);
    assert_true(accepted > 1500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rescale_rounding),    cmocka_unit_test(test_rescale_zero_points),
        cmocka_unit_test(test_rescale_saturates),   cmocka_unit_test(test_rescale_extreme_shifts),
        cmocka_unit_test(test_rescale_per_channel), cmocka_unit_test(test_rescale_refused),
        cmocka_unit_test(test_rescale_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
