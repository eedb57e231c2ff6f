/* Operators that functions of the user's compute: -extern-op, -extern-output. */
#include <string.h>

#include "ir/kernel.h"
#include "loader/options.h"

/* The default domain has no name in front. */
static const char *plain_name(const char *op)
{
    static const char domain[] = "ai.onnx.";
    size_t n = sizeof domain - 1;
    return strncmp(op, domain, n) == 0 && !strchr(op + n, '.') ? op + n : op;
}

static bool check_names(struct arena *a, struct loader_options *opt, struct error *err)
{
    struct option_texts *ops = &opt->extern_op;
    for (size_t i = 0; i < ops->n; i++) {
        const char *dot = strrchr(ops->item[i], '.');
        ops->item[i] = plain_name(ops->item[i]);
        if (!*ops->item[i] || dot == ops->item[i] || (dot && !dot[1]))
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "option -extern-op: '%s' is no operator: a name is needed, with its "
                             "domain and a dot in front where that is not ONNX's own",
                             ops->item[i]);
        for (size_t j = 0; j < i; j++) {
            const char *one = ops->item[j], *other = ops->item[i];
            if (strcmp(one, other) == 0)
                return error_set(err, SHEAF_ERROR_ARGUMENT, "option -extern-op names '%s' twice",
                                 other);
            if (strcmp(kextern_symbol(a, one), kextern_symbol(a, other)) == 0)
                return error_set(err, SHEAF_ERROR_ARGUMENT,
                                 "option -extern-op: the functions of '%s' and '%s' would both be "
                                 "called %s",
                                 one, other, kextern_symbol(a, one));
        }
    }
    return true;
}

bool options_extern(struct arena *a, struct loader_options *opt, struct error *err)
{
    size_t n = opt->extern_output.n;
    if (!check_names(a, opt, err))
        return false;
    opt->extern_outputs = arena_array(a, n, sizeof *opt->extern_outputs);
    for (size_t i = 0; i < n; i++) {
        struct import_input *out = &opt->extern_outputs[i];
        const char *text = opt->extern_output.item[i];
        const char *said = arena_printf(a, "-extern-output '%s'", text);
        if (!model_input_parse(a, said, text, out, err))
            return false;
        if (out->dtype == DTYPE_NONE || out->quant.scale != 0)
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "%s: a name, a type that is not quantized and dimensions are needed, "
                             "as in boxes,float,[1,100,4]",
                             said);
        for (size_t j = 0; j < i; j++)
            if (strcmp(out->name, opt->extern_outputs[j].name) == 0)
                return error_set(err, SHEAF_ERROR_ARGUMENT,
                                 "option -extern-output names '%s' twice", out->name);
    }
    return true;
}
