#define _POSIX_C_SOURCE 200809L
#include "loader/import/import.h"

#include <sys/stat.h>

#include "loader/import/build.h"

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The net `name` of the folder; its text form where there is no other, so that it can be said that
   this is what was found. */
static const char *net_in(struct importer *im, const char *folder, const char *name)
{
    const char *path = arena_printf(im->arena, "%s/%s.pb", folder, name);
    const char *text = arena_printf(im->arena, "%stxt", path);
    struct stat st;
    return stat(path, &st) != 0 && stat(text, &st) == 0 ? text : path;
}

static struct graph *import_by_path(struct importer *im)
{
    const struct import_options *opt = im->opt;
    if (opt->n_paths == 2)
        return caffe2_import(im, opt->paths[0], opt->paths[1]);
    if (opt->n_paths != 1) {
        error_set(im->err, SHEAF_ERROR_ARGUMENT, "a model is one path or two, not %zu",
                  opt->n_paths);
        return NULL;
    }
    if (is_folder(opt->paths[0]))
        return caffe2_import(im, net_in(im, opt->paths[0], "predict_net"),
                             net_in(im, opt->paths[0], "init_net"));
    return onnx_import(im, opt->paths[0]);
}

struct graph *import_model(struct arena *arena, const struct import_options *opt,
                           struct import_notes *notes, struct error *err)
{
    struct importer im = {.arena = arena, .opt = opt, .notes = notes, .err = err};
    im.has_extern = arena_array(arena, opt->n_externs, sizeof *im.has_extern);
    im.has_extern_output = arena_array(arena, opt->n_extern_outputs, sizeof *im.has_extern_output);
    struct graph *g = import_by_path(&im);
    if (!g)
        return NULL;
    if (opt->n_externs)
        graph_sweep(g); /* what extern_forget left */
    graph_count_uses(g);
    /* What the checks of the importers let through must be a graph: anything else is a bug, but one
       that a model found, so it is reported and not asserted. */
    if (!graph_validate(g, err))
        return NULL;
    return g;
}
