/*
 * library_programs.h: programs for libraries whose tensors lie in the memory of the host, behind a
 * prelude with CHECK and DONE(FUNCTION), which gives back what `memory` holds.
 */
#ifndef SHEAF_TESTS_LOADER_LIBRARY_PROGRAMS_H
#define SHEAF_TESTS_LOADER_LIBRARY_PROGRAMS_H

static const char sized_program[] =
    "#include \"libsized.h\"\n"
    "int main(void)\n"
    "{\n"
    "    static const float x[10] = {0, 1, 0, 0, 2, 0, 0, 3, 0, 0}, zero[10] = {0};\n"
    "    static const int64_t want[6] = {0, 0, 1, 1, 4, 2};\n"
    "    float y[10], *py;\n"
    "    int64_t places[20] = {0}, dims[2] = {-1, -1}, *p;\n"
    "    CHECK(sized_run_sized(NULL, x, places, dims, y) == 0 && dims[0] == 2 && dims[1] == 3);\n"
    "    CHECK(memcmp(places, want, sizeof want) == 0 && y[4] == -2);\n"
    "    CHECK(sized_run_sized(NULL, x, places, NULL, y) == 0 && sized_run(NULL, x, places, y) == "
    "0);\n"
    "    sized(NULL, x, &p, &py);\n"
    "    CHECK(memcmp(p, want, sizeof want) == 0 && py[4] == -2);\n"
    "    free(p);\n"
    "    free(py);\n"
    "    CHECK(sized_run_sized(NULL, zero, places, dims, y) == 0);\n"
    "    CHECK(dims[0] == 2 && dims[1] == 0);\n"
    "    /* An empty output is a block, too. */\n"
    "    sized(NULL, zero, &p, &py);\n"
    "    CHECK(p != NULL);\n"
    "    free(p);\n"
    "    free(py);\n"
    "    return 0;\n"
    "}\n";

/* The arrays have room for what is used and no more, which the sanitizers watch. */
static const char items_program[] =
    "#include \"libitems.h\"\n"
    "int main(void)\n"
    "{\n"
    "    for (int64_t n = 1; n <= 8; n++) {\n"
    "        size_t bytes = (size_t)n * 16;\n"
    "        float *x = calloc(1, bytes), *y = malloc(bytes), *z;\n"
    "        int64_t dims[2];\n"
    "        CHECK(x && y);\n"
    "        x[4 * n - 1] = (float)n;\n"
    "        CHECK(items_run_sized(NULL, x, &n, y, dims) == 0);\n"
    "        CHECK(dims[0] == n && dims[1] == 4 && y[4 * n - 1] == -(float)n);\n"
    "        items(NULL, x, &n, &z);\n"
    "        CHECK(memcmp(y, z, bytes) == 0);\n"
    "        free(x);\n"
    "        free(y);\n"
    "        free(z);\n"
    "    }\n"
    "    for (int64_t n = -1; n <= 9; n += n == 0 ? 9 : 1) {\n"
    "        float x = 0;\n"
    "        CHECK(items_run(NULL, &x, &n, &x) == SHEAF_ERROR_SHAPE);\n"
    "    }\n"
    "    return 0;\n"
    "}\n";

static const char state_program[] =
    "#include \"libstate.h\"\n"
    "int main(void)\n"
    "{\n"
    "    static const float x[4] = {1, 2, 3, 4};\n"
    "    float a[4], b[4];\n"
    "    void *memory = malloc(state_context_size());\n"
    "    for (int k = 0; k < 2; k++) {\n"
    "        CHECK(memory && state_context_init(memory) == 0);\n"
    "        for (int i = 1; i <= 3; i++)\n"
    "            CHECK(state_run(memory, x, b, a) == 0 && b[1] == 2 * (float)i && a[1] == -b[1]);\n"
    "        DONE(state);\n"
    "    }\n"
    "    for (int i = 0; i < 2; i++)\n"
    "        CHECK(state_run(NULL, x, b, a) == 0 && a[3] == -4);\n"
    "    free(memory);\n"
    "    return 0;\n"
    "}\n";

static const char random_program[] =
    "#include \"librandom.h\"\n"
    "static float a[8], b[8], zero[8];\n"
    "static int same(void) { return memcmp(a, b, sizeof a) == 0; }\n"
    "int main(void)\n"
    "{\n"
    "    char *memory = malloc(random_context_size());\n"
    "    CHECK(memory && random_run(NULL, zero, a) == 0 && a[0] != a[1] && a[0] >= 0 && a[0] < "
    "1);\n"
    "    CHECK(random_run(NULL, zero, b) == 0 && !same());\n"
    "    CHECK(random_seed(0) == 0 && random_run(NULL, zero, b) == 0 && same());\n"
    "    CHECK(random_seed(5) == 0 && random_run(NULL, zero, b) == 0 && !same());\n"
    "    /* A context goes on with its own. */\n"
    "    CHECK(random_seed(5) == 0 && random_context_init(memory) == 0);\n"
    "    CHECK(random_run(memory, zero, a) == 0 && same());\n"
    "    CHECK(random_run(memory, zero, a) == 0 && !same());\n"
    "    DONE(random);\n"
    "    free(memory);\n"
    "    return 0;\n"
    "}\n";

#endif
