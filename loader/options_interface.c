/* The options of the group Interface that have a form of their own. */
#include <math.h>
#include <string.h>

#include "loader/interface.h"
#include "loader/option_table.h"

static struct interface_change *change_of(struct loader_options *opt, const char *name,
                                          bool is_output)
{
    for (size_t i = 0; i < opt->n_changes; i++)
        if (opt->changes[i].is_output == is_output && strcmp(opt->changes[i].name, name) == 0)
            return &opt->changes[i];
    struct interface_change *c = &opt->changes[opt->n_changes++];
    *c = (struct interface_change){.name = name, .is_output = is_output};
    return c;
}

/* The text up to the next comma, *text moved behind it; NULL where there is none before the end. */
static const char *next_part(struct arena *a, const char **text)
{
    if (!*text)
        return NULL;
    size_t n = strcspn(*text, ",");
    const char *part = arena_strndup(a, *text, n);
    *text = (*text)[n] ? *text + n + 1 : NULL;
    return part;
}

static bool parse_quant(struct arena *a, const char *rest, struct quant *out)
{
    const char *scale_text = next_part(a, &rest), *zero_text = next_part(a, &rest);
    double scale;
    int64_t zero;
    if (!zero_text || rest || !option_parse_float(scale_text, &scale) || !(scale > 0) ||
        !((float)scale > 0) || isinf((float)scale) || !option_parse_int(zero_text, &zero) ||
        zero < INT32_MIN || zero > INT32_MAX)
        return false;
    *out = (struct quant){(float)scale, (int32_t)zero};
    return true;
}

static bool parse_type(struct arena *a, struct loader_options *opt, enum option_id id,
                       const char *text, struct error *err)
{
    const char *option = option_table[id].name, *rest = text;
    const char *name = next_part(a, &rest), *word = next_part(a, &rest);
    if (!*name || !word)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "-%s '%s': a name, a comma and a type are needed, as in data,float16",
                         option, text);
    struct interface_change *c = change_of(opt, name, id == OPTION_ID_output_type);
    if (c->dtype != DTYPE_NONE)
        return error_set(err, SHEAF_ERROR_ARGUMENT, "option -%s names '%s' twice", option, name);
    if (!model_input_type(word, &c->dtype, &c->quantized) || dtype_bits(c->dtype) < 8 ||
        (c->quantized && dtype_bits(c->dtype) > 16))
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "-%s '%s': '%s' is no type that inputs and outputs can be given", option,
                         text, word);
    if (rest && (!c->quantized || !parse_quant(a, rest, &c->quant)))
        return error_set(err, SHEAF_ERROR_ARGUMENT, "-%s '%s': %s", option, text,
                         c->quantized
                             ? "what follows the type is a positive scale and a whole offset"
                             : "nothing follows this type");
    if (c->quant.scale != 0 && dtype_bits(c->dtype) < 32 &&
        (c->quant.zero_point < dtype_int_min(c->dtype) ||
         c->quant.zero_point > dtype_int_max(c->dtype)))
        return error_set(err, SHEAF_ERROR_ARGUMENT, "-%s '%s': the offset %d is no %s", option,
                         text, (int)c->quant.zero_point, word);
    return true;
}

static bool parse_layout(struct arena *a, struct loader_options *opt, enum option_id id,
                         const char *text, struct error *err)
{
    const char *option = option_table[id].name, *rest = text;
    const char *name = next_part(a, &rest), *word = next_part(a, &rest);
    bool last = word && strcmp(word, "NHWC") == 0, first = word && strcmp(word, "NCHW") == 0;
    if (!*name || rest || (!last && !first))
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "-%s '%s': a name, a comma and NHWC or NCHW are needed", option, text);
    struct interface_change *c = change_of(opt, name, id == OPTION_ID_output_layout);
    if (c->order != INTERFACE_AS_IS)
        return error_set(err, SHEAF_ERROR_ARGUMENT, "option -%s names '%s' twice", option, name);
    c->order = last ? INTERFACE_CHANNELS_LAST : INTERFACE_CHANNELS_FIRST;
    return true;
}

static bool parse_bindings(struct arena *a, struct loader_options *opt, struct error *err)
{
    opt->bindings = arena_array(a, opt->bind.n, sizeof *opt->bindings);
    for (size_t i = 0; i < opt->bind.n; i++) {
        const char *text = opt->bind.item[i], *equals = strchr(text, '=');
        if (!equals || equals == text || !equals[1])
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "-bind '%s': an output, '=' and an input are needed", text);
        opt->bindings[i].out = arena_strndup(a, text, (size_t)(equals - text));
        opt->bindings[i].in = equals + 1;
        for (size_t j = 0; j < i; j++)
            if (strcmp(opt->bindings[i].in, opt->bindings[j].in) == 0)
                return error_set(err, SHEAF_ERROR_ARGUMENT, "option -bind names input '%s' twice",
                                 equals + 1);
    }
    return true;
}

bool interface_parse(struct arena *a, struct loader_options *opt, struct error *err)
{
    const struct {
        const struct option_texts *texts;
        enum option_id id;
        bool (*parse)(struct arena *, struct loader_options *, enum option_id, const char *,
                      struct error *);
    } kinds[] = {
        {&opt->input_type, OPTION_ID_input_type, parse_type},
        {&opt->output_type, OPTION_ID_output_type, parse_type},
        {&opt->input_layout, OPTION_ID_input_layout, parse_layout},
        {&opt->output_layout, OPTION_ID_output_layout, parse_layout},
    };
    size_t n = 0;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        n += kinds[k].texts->n;
    opt->changes = arena_array(a, n, sizeof *opt->changes);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t i = 0; i < kinds[k].texts->n; i++)
            if (!kinds[k].parse(a, opt, kinds[k].id, kinds[k].texts->item[i], err))
                return false;
    return parse_bindings(a, opt, err);
}
