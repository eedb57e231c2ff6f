/*
 * import_run.h: imports models that the test wrote, and says what must come of it; for the tests of
 * the importers only.
 */
#ifndef SHEAF_TESTS_LOADER_IMPORT_RUN_H
#define SHEAF_TESTS_LOADER_IMPORT_RUN_H

#include "loader/import/import.h"
#include "tests/loader/pb_write.h"
#include "tests/support/fixture.h"
#include "tests/support/support.h"

static struct import_notes notes;

static inline int setup_import(void **state)
{
    memset(&notes, 0, sizeof notes);
    return setup(state);
}

/* The model is written to NAME in support_tmp(). */
static inline const char *write_model(const char *name, const struct strbuf *bytes)
{
    const char *path = support_printf("%s/%s", support_tmp(), name);
    support_write_file(path, strbuf_text(bytes), bytes->len);
    return path;
}

static inline struct graph *import_onnx_bytes(const struct strbuf *bytes, struct import_options opt)
{
    const char *path = write_model("model.onnx", bytes);
    opt.paths = &path;
    opt.n_paths = 1;
    return import_model(&arena, &opt, &notes, &err);
}

static inline struct graph *import_onnx_with(const struct onnx_model *m, struct import_options opt)
{
    struct strbuf bytes;
    onnx_end(m, &bytes);
    return import_onnx_bytes(&bytes, opt);
}

static inline struct graph *import_onnx(const struct onnx_model *m)
{
    return import_onnx_with(m, (struct import_options){0});
}

static inline struct graph *import_caffe2(const struct strbuf *net, const struct strbuf *weights,
                                          struct import_options opt)
{
    const char *paths[] = {write_model("net.pb", net), write_model("weights.pb", weights)};
    opt.paths = paths;
    opt.n_paths = 2;
    return import_model(&arena, &opt, &notes, &err);
}

static inline void expect_text(const struct graph *g, const char *want)
{
    const char *text = text_of(g);
    if (!strstr(text, want))
        fail_msg("'%s' is not in\n%s", want, text);
}

/* There is no graph, and the sentence begins with the path of a model and contains this. */
static inline void expect_error(const struct graph *g, const char *want)
{
    static const char *const names[] = {"model.onnx", "net.pb", "weights.pb"};
    if (g)
        fail_msg("imported where '%s' was expected:\n%s", want, text_of(g));
    assert_int_not_equal(err.status, SHEAF_OK);
    if (!strstr(err.text, want))
        fail_msg("'%s' is not in '%s'", want, err.text);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *start = support_printf("%s/%s: ", support_tmp(), names[i]);
        if (!strncmp(err.text, start, strlen(start)))
            return;
    }
    fail_msg("'%s' does not begin with a path", err.text);
}

static inline void expect_note(const char *want)
{
    for (size_t i = 0; i < notes.n; i++)
        if (strstr(notes.text[i], want))
            return;
    fail_msg("no note says '%s'", want);
}

#endif
