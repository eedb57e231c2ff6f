#include "loader/image_plan.h"

#include <float.h>
#include <math.h>
#include <stddef.h>

/* In red, green, blue; of values in 0..1. */
static const double imagenet_mean[3] = {0.485, 0.456, 0.406};
static const double imagenet_stddev[3] = {0.229, 0.224, 0.225};

static bool is_channels(int64_t dim)
{
    return dim == 1 || dim == 3;
}

/* Which end of the dimensions holds the channels; an ambiguous shape is NCHW. */
static bool find_layout(const struct loader_options *opt, const struct value *input,
                        struct preprocess *plan, struct error *err)
{
    struct arena a;
    arena_init(&a);
    const char *shape = shape_print(&input->shape, &a);
    int rank = input->shape.rank;
    bool ok = false;
    if (rank != 3 && rank != 4) {
        error_set(err, SHEAF_ERROR_SHAPE,
                  "input '%s' has shape %s, which holds no images (rank 3 or 4 is needed)%s",
                  input->name, shape, opt->fold_preprocessing ? "" : ": fill it with -input");
        goto done;
    }
    const int64_t *dims = input->shape.dims + (rank - 3); /* without the batch */
    if (opt->image_layout >= 0)
        plan->channels_last = opt->image_layout == IMAGE_LAYOUT_NHWC;
    else
        plan->channels_last = !is_channels(dims[0]) && is_channels(dims[2]);
    int64_t channels = plan->channels_last ? dims[2] : dims[0];
    if (!is_channels(channels)) {
        error_set(err, SHEAF_ERROR_SHAPE,
                  "input '%s' has shape %s, which holds no images in layout %s: the channels "
                  "would be %lld, not 1 or 3",
                  input->name, shape, plan->channels_last ? "NHWC" : "NCHW", (long long)channels);
        goto done;
    }
    plan->channels = (int)channels;
    plan->batch = rank == 4 ? input->shape.dims[0] : 1;
    plan->height = dims[plan->channels_last ? 0 : 1];
    plan->width = dims[plan->channels_last ? 1 : 2];
    ok = true;
done:
    arena_done(&a);
    return ok;
}

static void set_range(const struct loader_options *opt, struct preprocess *plan)
{
    static const double ranges[][2] = {
        [IMAGE_MODE_0TO1] = {0, 1},     [IMAGE_MODE_0TO255] = {0, 255},
        [IMAGE_MODE_NEG1TO1] = {-1, 1}, [IMAGE_MODE_NEG128TO127] = {-128, 127},
        [IMAGE_MODE_0TO256] = {0, 255}, [IMAGE_MODE_128TO127] = {-128, 127},
    };
    int mode = opt->image_mode;
    if (mode < 0)
        mode = opt->use_imagenet_normalization ? IMAGE_MODE_0TO1 : IMAGE_MODE_0TO255;
    plan->low = ranges[mode][0];
    plan->high = ranges[mode][1];
}

static bool set_channels(const char *option, const struct option_floats *given,
                         const struct preprocess *plan, double initial, double *out,
                         struct error *err)
{
    if (given->n > 1 && given->n != (size_t)plan->channels)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -%s has %zu numbers, but the model's images have %d channel%s",
                         option, given->n, plan->channels, plan->channels == 1 ? "" : "s");
    for (int c = 0; c < plan->channels; c++)
        out[c] = given->n == 0 ? initial : given->item[given->n == 1 ? 0 : c];
    return true;
}

/* What becomes of the darkest and the brightest pixel must be a float. */
static bool check_range(const struct preprocess *plan, struct error *err)
{
    for (int c = 0; c < plan->channels; c++)
        for (int v = 0; v <= 255; v += 255) {
            double x = (v - plan->mean[c]) / plan->stddev[c] * (plan->high - plan->low) / 255;
            if (!(fabs(x + plan->low) <= FLT_MAX))
                return error_set(err, SHEAF_ERROR_ARGUMENT,
                                 "options -mean and -stddev make %g of pixels of %d in channel %d, "
                                 "which is no float",
                                 x + plan->low, v, c);
        }
    return true;
}

bool image_plan(const struct loader_options *opt, const struct value *input,
                struct preprocess *out_plan, struct error *err)
{
    struct preprocess plan = {0};
    if (!find_layout(opt, input, &plan, err) ||
        !set_channels("mean", &opt->mean, &plan, 0, plan.mean, err) ||
        !set_channels("stddev", &opt->stddev, &plan, 1, plan.stddev, err))
        return false;
    set_range(opt, &plan);
    plan.bgr = opt->image_channel_order == IMAGE_ORDER_BGR;
    if (opt->use_imagenet_normalization) {
        if (plan.channels != 3)
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "-use-imagenet-normalization is for colour, but the images of input "
                             "'%s' are gray",
                             input->name);
        for (int c = 0; c < 3; c++) {
            plan.mean[c] = imagenet_mean[plan.bgr ? 2 - c : c] * 255;
            plan.stddev[c] = imagenet_stddev[plan.bgr ? 2 - c : c];
        }
    }
    if (!check_range(&plan, err))
        return false;
    *out_plan = plan;
    return true;
}

struct preprocess image_plan_pixels(const struct value *input)
{
    const int64_t *dims = input->shape.dims + (input->shape.rank - 3);
    struct preprocess plan = {.batch = input->shape.rank == 4 ? input->shape.dims[0] : 1,
                              .height = dims[0],
                              .width = dims[1],
                              .channels = (int)dims[2],
                              .channels_last = true,
                              .high = 255};
    for (int c = 0; c < plan.channels; c++)
        plan.stddev[c] = 1;
    return plan;
}
