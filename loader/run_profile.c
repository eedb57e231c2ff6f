#include "loader/run_profile.h"

#include <assert.h>
#include <inttypes.h>

#include "bundle/write/file.h"
#include "loader/profile/capture.h"
#include "loader/profile/profile_file.h"
#include "loader/progress.h"

enum { SAMPLE_CHARS = 1024 };

/* "cat.png and the 3 after it": whose run it is. */
static void name_sample(const struct loader_options *opt, const struct run_inputs *inputs,
                        size_t run, char *text, size_t size)
{
    const char *name = run_inputs_name(inputs, run);
    if (inputs->batch > 1)
        snprintf(text, size, "%s and the %zu after it", name, inputs->batch - 1);
    else
        snprintf(text, size, "%s", name ? name : opt->model.item[0]);
}

static void print_result(FILE *out, const struct profile *p, size_t n_inner, const char *path)
{
    fprintf(out, "Profile: %" PRIu64 " sample%s, %zu tensor%s", p->samples,
            p->samples == 1 ? "" : "s", p->n, p->n == 1 ? "" : "s");
    if (n_inner)
        fprintf(out, " (and %zu inside of If and Loop left out)", n_inner);
    fprintf(out, ": %s\n", path);
    fflush(out);
}

/* Whether the profile can be written when hours have passed: names, folder, permission. */
static bool check_file(const struct profile *p, const char *path, struct error *err)
{
    struct arena a;
    struct strbuf text;
    arena_init(&a);
    strbuf_init(&text, &a);
    struct file_group *trial = file_group_create(&a);
    bool ok = profile_print(&text, p, err) &&
              file_group_add(trial, path, strbuf_text(&text), text.len, err);
    file_group_abort(trial);
    arena_done(&a);
    return ok;
}

static bool run_samples(struct arena *a, const struct loader_options *opt,
                        const struct run_inputs *inputs, struct pipeline *p, struct capture *c,
                        struct progress *bar, struct error *err)
{
    size_t n = c->profile.n;
    int *buf = arena_array(a, n, sizeof *buf);
    struct capture_data *data = arena_array(a, n, sizeof *data);
    for (size_t k = 0; k < n; k++) {
        buf[k] = pipeline_find(p, c->value[k]);
        assert(buf[k] >= 0);
    }
    for (size_t i = 0; i < inputs->n_runs; i++) {
        char sample[SAMPLE_CHARS];
        if (!run_inputs_load(inputs, p, i, err) || !pipeline_run(p, err))
            return false;
        for (size_t k = 0; k < n; k++)
            data[k].data = pipeline_data(p, buf[k], data[k].dims);
        name_sample(opt, inputs, i, sample, sizeof sample);
        if (!capture_add(c, data, sample, err))
            return false;
        c->profile.samples += inputs->batch;
        progress_show(bar, c->profile.samples);
    }
    return true;
}

bool run_profile(struct arena *a, const struct loader_options *opt, const struct run_inputs *inputs,
                 struct pipeline *p, FILE *out, FILE *errout, struct error *err)
{
    struct capture c;
    struct progress bar;
    capture_init(&c, a, pipeline_graph(p), 0);
    if (c.profile.n == 0)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                         "%s: the network has no float tensor to take a profile of",
                         opt->model.item[0]);
    pipeline_describe(p, &c.profile);
    if (!check_file(&c.profile, opt->dump_profile, err))
        return false;
    progress_start(&bar, errout, inputs->n_runs * inputs->batch);
    bool ok = run_samples(a, opt, inputs, p, &c, &bar, err);
    progress_end(&bar);
    if (!ok || !profile_write(opt->dump_profile, &c.profile, err))
        return false;
    print_result(out, &c.profile, c.n_inner, opt->dump_profile);
    return true;
}

bool run_merge_profiles(struct arena *a, const struct loader_options *opt, FILE *out,
                        struct error *err)
{
    struct profile *p;
    if (!profile_load(a, opt->merge_profile.item, opt->merge_profile.n, NULL, NULL, &p, err) ||
        !profile_write(opt->dump_profile, p, err))
        return false;
    print_result(out, p, 0, opt->dump_profile);
    return true;
}
