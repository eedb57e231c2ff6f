#include "loader/run_profile.h"

#include <inttypes.h>

#include "loader/profile/capture.h"
#include "loader/profile/profile_file.h"
#include "loader/progress.h"

static void print_result(FILE *out, const struct profile *p, size_t n_inner, const char *path)
{
    fprintf(out, "Profile: %" PRIu64 " sample%s, %zu tensor%s", p->samples,
            p->samples == 1 ? "" : "s", p->n, p->n == 1 ? "" : "s");
    if (n_inner)
        fprintf(out, " (and %zu inside of If and Loop left out)", n_inner);
    fprintf(out, ": %s\n", path);
    fflush(out);
}

bool run_profile(struct arena *a, const struct loader_options *opt, const struct run_inputs *inputs,
                 struct pipeline *p, FILE *out, FILE *errout, struct error *err)
{
    struct capture c;
    capture_init(&c, a, pipeline_graph(p), 0);
    if (c.profile.n == 0)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                         "%s: the network has no float tensor to take a profile of",
                         opt->model.item[0]);
    pipeline_describe(p, &c.profile);
    int *buf = arena_array(a, c.profile.n, sizeof *buf);
    struct capture_data *data = arena_array(a, c.profile.n, sizeof *data);
    for (size_t i = 0; i < c.profile.n; i++)
        buf[i] = pipeline_find(p, c.value[i]);
    struct progress bar;
    progress_start(&bar, errout, inputs->n_runs * inputs->batch);
    bool ok = true;
    for (size_t i = 0; ok && i < inputs->n_runs; i++) {
        const char *sample = run_inputs_name(inputs, i);
        ok = run_inputs_load(inputs, p, i, err) && pipeline_run(p, err);
        for (size_t k = 0; k < c.profile.n; k++)
            data[k].data = pipeline_data(p, buf[k], data[k].dims);
        ok = ok && capture_add(&c, data, sample ? sample : opt->model.item[0], err);
        c.profile.samples += inputs->batch;
        progress_show(&bar, c.profile.samples);
    }
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
