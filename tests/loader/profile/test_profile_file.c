/*
 * Profiles as files: the bytes that are written, what is read of them and of Glow's, and one
 * sentence for whatever is wrong with a file.
 */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ir/version.h"
#include "loader/profile/profile_file.h"
#include "tests/support/profiles.h"
#include "tests/support/support.h"

static const char *path_of(const char *name)
{
    return support_printf("%s/%s", support_tmp(), name);
}

static struct profile *small_profile(void)
{
    struct profile *p = arena_new(&arena, struct profile);
    *p = (struct profile){.model = "net", .processor = "core", .samples = 2};
    p->identity = (struct profile_identity){0x11, 0xfedcba9876543210};
    profile_add(p, "gpu_0/data", (float[]){1003.5f, 1000, 1001.25f}, 3);
    profile_add(p, "it's", (float[]){-1020, -1023.5f, -1024}, 3);
    profile_add(p, "zeros", (float[]){0, -0.0f}, 2);
    profile_add(p, "none", NULL, 0);
    return p;
}

/* The bins of x are 1 wide: 1000, 1001, 1003.  Those of it's: -1024 twice, -1020. */
static const char small_text[] = "---\n"
                                 "SheafProfile: 1\n"
                                 "Tool: '" SHEAF_TOOL "'\n"
                                 "Model: 'net'\n"
                                 "Operators: 0x0000000000000011\n"
                                 "Weights: 0xfedcba9876543210\n"
                                 "Processor: 'core'\n"
                                 "Samples: 2\n"
                                 "Tensors:\n"
                                 "- Name: 'gpu_0/data'\n"
                                 "  Count: 3\n"
                                 "  Min: 1000\n"
                                 "  Max: 1003.5\n"
                                 "  Exponent: 0\n"
                                 "  FirstBin: 1000\n"
                                 "  Histogram: [1, 1, 0, 1]\n"
                                 "- Name: 'it''s'\n"
                                 "  Count: 3\n"
                                 "  Min: -1024\n"
                                 "  Max: -1020\n"
                                 "  Exponent: 0\n"
                                 "  FirstBin: -1024\n"
                                 "  Histogram: [2, 0, 0, 0, 1]\n"
                                 "- Name: 'zeros'\n"
                                 "  Count: 2\n"
                                 "  Min: 0\n"
                                 "  Max: 0\n"
                                 "  Exponent: -149\n"
                                 "  FirstBin: 0\n"
                                 "  Histogram: [2]\n"
                                 "- Name: 'none'\n"
                                 "  Count: 0\n"
                                 "  Min: 0\n"
                                 "  Max: 0\n"
                                 "  Exponent: -149\n"
                                 "  FirstBin: 0\n"
                                 "  Histogram: []\n"
                                 "...\n";

static const char *print(const struct profile *p)
{
    struct strbuf out;
    strbuf_init(&out, &arena);
    if (!profile_print(&out, p, &err))
        fail_msg("%s", err.text);
    return strbuf_text(&out);
}

static struct profile *parse(const char *text)
{
    struct profile *p;
    if (!profile_parse(&arena, "p.yml", (const uint8_t *)text, strlen(text), &p, &err))
        fail_msg("%s", err.text);
    return p;
}

static void test_small(void **state)
{
    (void)state;
    struct profile *p = small_profile();
    assert_string_equal(print(p), small_text);
    profile_assert_same(parse(small_text), p);
}

/* Many values of every magnitude: extremes of f32, denormals, long lines. */
static void test_round_trip(void **state)
{
    (void)state;
    struct profile *p = small_profile();
    uint64_t seed = 1;
    for (int t = 0; t < 200; t++) {
        float x[500];
        for (size_t i = 0; i < 500; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            float v = dtype_f32_of_bits((uint32_t)(seed >> 32));
            x[i] = !isfinite(v) ? 0 : t % 2 ? v : ldexpf(fmodf(v, 1), t - 100);
        }
        profile_add(p, support_printf("t%d", t), x, 500);
    }
    profile_add(p, "ends", (float[]){-3.402823466e38f, 3.402823466e38f}, 2);
    profile_add(p, "least", (float[]){1.4e-45f}, 1);
    const char *text = print(p);
    struct profile *got = parse(text);
    profile_assert_same(got, p);
    assert_string_equal(print(got), text);
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 100);
}

/* Zero has one form, whichever came first. */
static void test_signs_of_zero(void **state)
{
    (void)state;
    struct profile *a = small_profile(), *b = small_profile();
    profile_add(a, "x", (float[]){0.0f, -0.0f}, 2);
    profile_add(b, "x", (float[]){-0.0f, 0.0f}, 2);
    assert_string_equal(print(a), print(b));
}

/* Whatever is text can be a name; what is no text is refused. */
static void test_names(void **state)
{
    (void)state;
    static const char *const names[] = {
        "-",
        "...",
        "a: b # c",
        " blanks ",
        "'",
        "\"\\",
        "tab\tand\nline\x01 end\x7f",
        "\xc2\x85 next line, \xe2\x80\xa8 and separator",
        "\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x98\x80",
        "[1, 2]",
        "null",
        "0x10",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct profile *p = small_profile();
        p->model = names[i];
        profile_add(p, names[i], (float[]){1}, 1);
        profile_assert_same(parse(print(p)), p);
    }
    static const char *const wrong[] = {"\xff",         "\xc3(",        "\x80",
                                        "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct profile *p = small_profile();
        struct strbuf out;
        strbuf_init(&out, &arena);
        error_init(&err);
        profile_add(p, wrong[i], (float[]){1}, 1);
        assert_false(profile_print(&out, p, &err));
        assert_non_null(strstr(err.text, "is no UTF-8 text"));
    }
}

/* ---- faults ---- */

static void expect_fault(const char *text, size_t n, const char *words)
{
    struct profile *p;
    error_init(&err);
    if (profile_parse(&arena, "p.yml", (const uint8_t *)text, n, &p, &err))
        fail_msg("it was read, not refused with: %s", words);
    if (strncmp(err.text, "p.yml", 5) != 0 || strchr(err.text, '\n') || !strstr(err.text, words))
        fail_msg("'%s' is not: %s", err.text, words);
}

/* What is said of a text in which the first `from` is replaced. */
struct edit {
    const char *from, *to, *words;
};

static void expect_edit_fault(const char *text, const struct edit *e)
{
    const char *at = strstr(text, e->from);
    assert_non_null(at);
    const char *edited =
        support_printf("%.*s%s%s", (int)(at - text), text, e->to, at + strlen(e->from));
    expect_fault(edited, strlen(edited), e->words);
}

static void expect_edit_faults(const char *text, const struct edit *edits, size_t n)
{
    for (size_t i = 0; i < n; i++)
        expect_edit_fault(text, &edits[i]);
}

static void test_wrong_head(void **state)
{
    (void)state;
    static const struct edit edits[] = {
        {"SheafProfile: 1", "SheafProfile: 2",
         "line 2: this is a profile of version 2, the tool reads version 1"},
        {"SheafProfile: 1", "SheafProfile: one", "SheafProfile must be a whole number"},
        {"SheafProfile", "Sheaf", "line 2: this is no profile"},
        {"Tool: '" SHEAF_TOOL "'\n", "", "line 2: a profile lacks the key Tool"},
        {"Model: 'net'", "Model: [net]", "line 4: Model must be text"},
        {"Model: 'net'", "Model: \"n\\0t\"", "line 4: Model must be text"},
        {"0x0000000000000011", "11", "line 5: Operators must be 0x and up to 16"},
        {"0x0000000000000011", "0x11112222333344445", "Operators must be 0x"},
        {"0xfedcba9876543210", "0xfedcba987654321g", "line 6: Weights must be 0x"},
        {"Samples: 2", "Samples: -2", "line 8: Samples must be a whole number"},
        {"Samples: 2", "Samples: 18446744073709551616", "Samples must be a whole"},
        {"Samples: 2", "Samples: 0", "the profile is of no samples"},
        {"Samples: 2", "Samples: 2\nSamples: 2", "line 9: a profile has the key Samples twice"},
        {"Samples: 2", "Samples: 2\nSample: 2", "line 9: a profile has no key 'Sample'"},
        {"Tensors:", "Tensors: 3\nMore:", "line 9: Tensors must be a list"},
        {"...\n", "...\n---\nmore\n...\n", "line 39: the end of the file is missing"},
    };
    expect_edit_faults(small_text, edits, sizeof edits / sizeof *edits);
    expect_fault("", 0, "a profile is missing here");
    expect_fault("# nothing\n", 10, "a profile is missing here");
    expect_fault("text\n", 5, "this is no profile");
    expect_fault("- 1\n", 4, "this is no profile");
    expect_fault("{[1]: 2}\n", 9, "this is no profile");
    const char *empty = "---\nSheafProfile: 1\nTool: ''\nModel: ''\nOperators: 0x1\nWeights: 0x1\n"
                        "Processor: ''\nSamples: 1\nTensors: []\n...\n";
    expect_fault(empty, strlen(empty), "the profile has no tensors");
}

static void test_wrong_tensor(void **state)
{
    (void)state;
    static const struct edit edits[] = {
        {"Max: 1003.5", "Max: nan", "line 13: Max must be a finite number"},
        {"Max: 1003.5", "Max: 999", "tensor 'gpu_0/data': Min 1000 is above Max 999"},
        {"Max: 1003.5", "Max: 1004", "Histogram has 4 bins, but from Min to Max there"},
        {"Max: 1003.5", "Max: 2000", "Exponent is 0, but values from Min to Max need 1"},
        {"Min: 1000", "Min: 1001", "FirstBin is 1000, but Min lies in bin 1001"},
        {"Min: 1000", "Min: -5000", "Exponent is 0, but values from Min to Max need 3"},
        {"Exponent: 0", "Exponent: 119", "Exponent must be a whole number of -149 to 118"},
        {"Exponent: 0", "Exponent: -150", "Exponent must be a whole number of -149 to"},
        {"Exponent: 0", "Exponent: 1", "Exponent is 1, but values from Min to Max need 0"},
        {"Exponent: 0", "Exponent: 99999999999999999999", "Exponent must be a whole"},
        {"FirstBin: 1000", "FirstBin: 1024", "FirstBin must be a whole number of -1024 to 1023"},
        {"FirstBin: 1000", "FirstBin: -1025", "FirstBin must be a whole number"},
        {"FirstBin: 1000", "FirstBin: 999", "FirstBin is 999, but Min lies in bin 1000"},
        {"Count: 3", "Count: 4", "the bins of Histogram do not add up to Count"},
        {"Count: 3", "Count: 3.0", "line 11: Count must be a whole number"},
        {"Count: 3", "Count: +3", "Count must be a whole number"},
        {"[1, 1, 0, 1]", "[1, 1, -1, 1]",
         "a bin of Histogram must be a whole number of 0 to 2^64 - 1, not '-1'"},
        {"[1, 1, 0, 1]", "[1, 1, 1]", "Histogram has 3 bins, but from Min to Max"},
        {"[1, 1, 0, 1]", "[1, 1, 1, 0]", "the bins of Min and Max must not be empty"},
        {"[1, 1, 0, 1]", "[0, 1, 1, 1]", "the bins of Min and Max must not be empty"},
        {"[1, 1, 0, 1]", "[1, [1], 0, 1]", "a bin of Histogram must be a whole number"},
        {"[1, 1, 0, 1]", "3", "Histogram must be a list"},
        /* 2 + 2^64 - 1 + 2 is 3 in 64 bits. */
        {"[1, 1, 0, 1]", "[1, 18446744073709551615, 1, 2]",
         "the bins of Histogram do not add up to Count"},
        {"Count: 0\n  Min: 0", "Count: 0\n  Min: -1", "with Count 0, Min and Max are 0"},
        {"'zeros'", "'none'", "p.yml: tensor 'none' stands there twice"},
        {"'zeros'", "''", "line 24: Name is empty"},
        {"  Count: 3\n", "", "line 10: an entry of Tensors lacks the key Count"},
        {"  Count: 3\n", "  Count: 3\n  Count: 3\n", "has the key Count twice"},
        {"  Count: 3\n", "  Scale: 3\n", "line 11: an entry of Tensors has no key 'Scale'"},
    };
    static const char *const not_finite[] = {".nan", "nan", ".inf",  "-.inf", "inf", "1e39",
                                             "",     "'1'", "0x1p3", "1.0.0", "1 2", "[1]"};
    for (size_t i = 0; i < sizeof not_finite / sizeof *not_finite; i++)
        expect_edit_fault(small_text,
                          &(struct edit){"Min: 1000", support_printf("Min: %s", not_finite[i]),
                                         "line 12: Min must be a finite number"});
    expect_edit_faults(small_text, edits, sizeof edits / sizeof *edits);
    struct strbuf many;
    strbuf_init(&many, &arena);
    for (int i = 0; i < 2049; i++)
        strbuf_add(&many, i ? ", 1" : "[1");
    strbuf_add(&many, "]");
    expect_edit_fault(small_text, &(struct edit){"[1, 1, 0, 1]", many.text,
                                                 "Histogram has more bins than the 2048"});
}

static void test_wrong_yaml(void **state)
{
    (void)state;
    static const struct edit edits[] = {
        {"Samples: 2", "Samples: 2: 3", "line 8: this is no valid YAML: "},
        {"[1, 1, 0, 1]", "[1, 1", "line 16: a bin of Histogram must be"},
        {"'net'", "'\xff'", "line 4: this is no valid YAML: "},
        {"'net'", "&a 'net'", "line 4: a profile has no anchors and no tags"},
        {"'net'", "!!str net", "line 4: a profile has no anchors and no tags"},
        {"'net'", "*a", "line 4: a profile has no aliases"},
    };
    expect_edit_faults(small_text, edits, sizeof edits / sizeof *edits);
    const char *bomb = "SheafProfile: &a [1, 1]\nTool: &b [*a, *a, *a]\nModel: [*b, *b, *b]\n";
    expect_fault(bomb, strlen(bomb), "a profile has no anchors and no tags");
    /* Nesting ends where the format ends. */
    size_t n = 1000000;
    char *deep = malloc(n);
    memset(deep, '[', n);
    expect_fault(deep, n, "this is no profile");
    memcpy(deep, "SheafProfile: ", 14);
    expect_fault(deep, n, "SheafProfile must be a whole number");
    free(deep);
}

/* Wherever a file is cut, it is refused; nothing is lost with the last line's end. */
static void test_cut_short(void **state)
{
    (void)state;
    size_t n = sizeof small_text - 1;
    for (size_t i = 0; i < n - 1; i++) {
        /* Of the exact size, so that the sanitizer sees reading behind it. */
        char *cut = malloc(i ? i : 1);
        memcpy(cut, small_text, i);
        expect_fault(cut, i, "");
        free(cut);
    }
    struct profile *p;
    error_init(&err);
    if (!profile_parse(&arena, "p.yml", (const uint8_t *)small_text, n - 1, &p, &err))
        fail_msg("%s", err.text);
    profile_assert_same(p, small_profile());
}

/* A byte anywhere becomes another one: refused, or read as something that can be written. */
static void test_changed_bytes(void **state)
{
    (void)state;
    static const char with[] = "\n\t -:[]{},'\"#&*!|>%@0x1\xff";
    char text[sizeof small_text];
    for (size_t i = 0; i + 1 < sizeof text; i++) {
        for (size_t k = 0; k < sizeof with; k++) {
            struct profile *p;
            memcpy(text, small_text, sizeof text);
            text[i] = with[k];
            error_init(&err);
            if (profile_parse(&arena, "p.yml", (const uint8_t *)text, sizeof text - 1, &p, &err))
                profile_assert_same(parse(print(p)), p);
            else if (strncmp(err.text, "p.yml", 5) != 0)
                fail_msg("byte %zu: '%s'", i, err.text);
        }
        arena_done(&arena);
    }
}

/* ---- Glow's ---- */

static const char glow_text[] = "---\n"
                                "GlowToolsVersion: ''\n"
                                "...\n"
                                "---\n"
                                "GraphPreLowerHash: 0x9E3779B97F4A7C15\n"
                                "...\n"
                                "---\n"
                                "- NodeOutputName:  'conv1__1:0'\n"
                                "  Min:             1000.000000\n"
                                "  Max:             1003\n"
                                "  Histogram:       [ 3, 1.2e+01 ]\n"
                                "- NodeOutputName:  'fc:0'\n"
                                "  Min:             -0.5\n"
                                "  Max:             -0.5\n"
                                "  Histogram:       [ 7, 0 ]\n"
                                "...\n";

/*
 * Bins of conv1 are 1.5 wide, ours are 1: of the 3 values over 1000 to 1001.5, 2 lie below 1001; of
 * the 12 over 1001.5 to 1003, a third below 1002.
 */
static void test_glow(void **state)
{
    (void)state;
    struct profile *p = parse(glow_text);
    assert_true(p->from_glow);
    assert_int_equal(p->n, 2);
    assert_string_equal(p->tensor[0].name, "conv1__1:0");
    const struct histogram *h = p->tensor[0].histogram;
    assert_int_equal(h->exponent, 0);
    assert_true(h->min == 1000 && h->max == 1003 && h->count == 15);
    const uint64_t *bin = h->bin + HISTOGRAM_SIDE;
    assert_int_equal(bin[1000], 2);
    assert_int_equal(bin[1001], 1 + 4);
    assert_int_equal(bin[1002], 8);
    assert_int_equal(bin[1003], 0);
    h = p->tensor[1].histogram;
    assert_true(h->min == -0.5f && h->max == -0.5f && h->count == 7);
    assert_int_equal(h->exponent, -11); /* -0.5 is the lower edge of bin -1024 */
    assert_int_equal(h->bin[0], 7);
    struct strbuf out;
    strbuf_init(&out, &arena);
    assert_false(profile_print(&out, p, &err));
    assert_string_equal(err.text, "profiles of Glow are read, not written");
}

static void test_wrong_glow(void **state)
{
    (void)state;
    static const struct edit edits[] = {
        {"Max:             1003", "Max: 999", "tensor 'conv1__1:0': Min 1000 is above"},
        {"1003", "nan", "line 10: Max must be a finite number"},
        {"[ 3, 1.2e+01 ]", "[ 3, -1 ]", "line 11: a bin of Histogram cannot count -1"},
        {"[ 3, 1.2e+01 ]", "[ 3, 1e16 ]", "a bin of Histogram cannot count 1e+16"},
        {"[ 3, 1.2e+01 ]", "[ 3, inf ]", "a bin of Histogram must be a finite number"},
        {"[ 3, 1.2e+01 ]", "[ 9e15, 9e15 ]", "Histogram counts too many values"},
        {"[ 3, 1.2e+01 ]", "[ 0, 0 ]", "Histogram counts no values"},
        {"[ 3, 1.2e+01 ]", "[]", "Histogram counts no values"},
        {"'fc:0'", "'conv1__1:0'", "tensor 'conv1__1:0' stands there twice"},
        {"0x9E3779B97F4A7C15", "none", "line 5: GraphPreLowerHash must be 0x"},
        {"GraphPreLowerHash", "Hash", "the second document has no key 'Hash'"},
    };
    expect_edit_faults(glow_text, edits, sizeof edits / sizeof *edits);
    for (size_t n = 0; n + 1 < sizeof glow_text - 1; n++)
        expect_fault(glow_text, n, "");
    const char *oldest = "---\n- nodeOutputName:  'conv1:0'\n  scale: 0.5\n  offset: 3\n...\n";
    expect_fault(oldest, strlen(oldest), "line 2: this profile is from Glow before March 2020");
}

/* ---- files ---- */

static void test_files(void **state)
{
    (void)state;
    struct profile *p = small_profile(), *got;
    const char *path = path_of("p.yml");
    assert_true(profile_write(path, p, &err));
    char *text = support_read_file(path, NULL);
    assert_string_equal(text, small_text);
    free(text);
    assert_true(profile_load(&arena, &path, 1, NULL, NULL, &got, &err));
    profile_assert_same(got, p);
    assert_false(profile_write(path_of("absent/p.yml"), p, &err));
    assert_non_null(strstr(err.text, "absent/p.yml"));

    error_init(&err);
    const char *absent = path_of("none.yml");
    assert_false(profile_load(&arena, &absent, 1, NULL, NULL, &got, &err));
    assert_non_null(strstr(err.text, "none.yml"));

    /* A file that has room for anything, but nothing in it. */
    error_init(&err);
    const char *large = path_of("large.yml");
    support_write_file(large, "", 0);
    assert_int_equal(truncate(large, LIMIT_PROFILE_BYTES + 1), 0);
    assert_false(profile_load(&arena, &large, 1, NULL, NULL, &got, &err));
    assert_non_null(strstr(err.text, "large.yml"));
}

static void test_other_model(void **state)
{
    (void)state;
    struct profile *p = small_profile(), *got;
    const char *path = path_of("p.yml");
    assert_true(profile_write(path, p, &err));
    struct profile_identity id = p->identity;
    assert_true(profile_load(&arena, &path, 1, &id, "net2", &got, &err));
    id.weights++;
    assert_false(profile_load(&arena, &path, 1, &id, "net2", &got, &err));
    assert_non_null(
        strstr(err.text, "p.yml: the profile of 'net' was captured with other weights"));
}

/* Three files in every order and grouping are the bytes of all values in one. */
static void test_merge(void **state)
{
    (void)state;
    static const float x[3][4] = {{1, 2, 3, 0.1f}, {-700, 1e-30f, 5, 0}, {1e6f, -2, 0.3f, 7}};
    struct profile *all = small_profile();
    const char *paths[3];
    for (size_t i = 0; i < 3; i++) {
        struct profile *p = small_profile();
        p->n = 0;
        profile_add(p, "x", x[i], 4);
        paths[i] = path_of(support_printf("%zu.yml", i));
        assert_true(profile_write(paths[i], p, &err));
    }
    all->n = 0;
    all->samples = 6;
    profile_add(all, "x", x[0], 12);
    const char *want = print(all);
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (int i = 0; i < 6; i++) {
        const int *o = orders[i];
        const char *three[] = {paths[o[0]], paths[o[1]], paths[o[2]]};
        const char *pair = path_of("pair.yml"), *two[] = {paths[o[0]], pair};
        struct profile *p;
        assert_true(profile_load(&arena, three, 3, NULL, NULL, &p, &err));
        assert_string_equal(print(p), want);
        assert_true(profile_load(&arena, three + 1, 2, NULL, NULL, &p, &err) &&
                    profile_write(pair, p, &err) &&
                    profile_load(&arena, two, 2, NULL, NULL, &p, &err));
        assert_string_equal(print(p), want);
    }
    struct profile *other = small_profile(), *p;
    const char *odd[] = {paths[0], path_of("other.yml")};
    assert_true(profile_write(odd[1], other, &err));
    assert_false(profile_load(&arena, odd, 2, NULL, NULL, &p, &err));
    assert_non_null(
        strstr(err.text, support_printf("%s cannot be merged with %s: ", odd[1], odd[0])));
}

/* Under whatever name. */
static void test_same_file(void **state)
{
    (void)state;
    struct profile *p;
    const char *path = path_of("p.yml"), *other = path_of("q.yml"), *link = path_of("link.yml");
    assert_true(profile_write(path, small_profile(), &err));
    assert_true(profile_write(other, small_profile(), &err));
    unlink(link);
    assert_int_equal(symlink("p.yml", link), 0);
    const char *const twins[] = {path, other}, *const same[] = {other, path, path},
                      *const linked[] = {path, link};
    assert_true(profile_load(&arena, twins, 2, NULL, NULL, &p, &err));
    assert_false(profile_load(&arena, same, 3, NULL, NULL, &p, &err));
    assert_string_equal(err.text, support_printf("%s is the same profile as %s: its samples would "
                                                 "count twice",
                                                 path, path));
    error_init(&err);
    assert_false(profile_load(&arena, linked, 2, NULL, NULL, &p, &err));
    assert_non_null(strstr(err.text, "link.yml is the same profile as "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_small, setup, teardown),
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_signs_of_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_head, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_tensor, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_yaml, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_short, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changed_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_glow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_glow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_model, setup, teardown),
        cmocka_unit_test_setup_teardown(test_merge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_same_file, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
