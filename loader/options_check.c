/*
 * options_check.c: what no single option can know: options that exclude or need each other, ranges,
 * and the values that have a form of their own.
 */
#include <math.h>
#include <string.h>

#include "bundle/bundle.h"
#include "bundle/write/weights_form.h"
#include "ir/checked.h"
#include "ir/quantize/calibrate.h"
#include "loader/interface.h"
#include "loader/option_table.h"
#include "loader/options.h"

static const struct {
    enum option_id a, b;
    const char *why;
} conflicts[] = {
    {OPTION_ID_cpu, OPTION_ID_interpreter, "each says what runs the network"},
    {OPTION_ID_gpu, OPTION_ID_cpu, "each says what runs the network"},
    {OPTION_ID_gpu, OPTION_ID_interpreter, "each says what runs the network"},
    {OPTION_ID_gpu, OPTION_ID_vector, "it is about code for processors"},
    {OPTION_ID_gpu, OPTION_ID_optimize_size, "it is about code for processors"},
    {OPTION_ID_gpu, OPTION_ID_debug_info, "it is about code for processors"},
    {OPTION_ID_ve, OPTION_ID_cpu, "each says what runs the network"},
    {OPTION_ID_ve, OPTION_ID_gpu, "each says what runs the network"},
    {OPTION_ID_ve, OPTION_ID_interpreter, "each says what runs the network"},
    {OPTION_ID_ve, OPTION_ID_vector, "it is about code for processors"},
    {OPTION_ID_ve, OPTION_ID_optimize_size, "it is about code for processors"},
    {OPTION_ID_ve, OPTION_ID_debug_info, "it is about code for processors"},
    {OPTION_ID_emit_bundle, OPTION_ID_interpreter, "what is written is compiled code"},
    {OPTION_ID_optimize_size, OPTION_ID_interpreter, "it is about compiled code"},
    {OPTION_ID_verify, OPTION_ID_interpreter, "-verify runs both compiled code and evaluator"},
    {OPTION_ID_emit_bundle, OPTION_ID_verify, "what is written is not run"},
    {OPTION_ID_emit_bundle, OPTION_ID_input, "what is written is not run"},
    {OPTION_ID_emit_bundle, OPTION_ID_input_dir, "what is written is not run"},
    {OPTION_ID_emit_bundle, OPTION_ID_input_list, "what is written is not run"},
    {OPTION_ID_emit_bundle, OPTION_ID_output, "what is written is not run"},
    {OPTION_ID_emit_bundle, OPTION_ID_topk, "what is written is not run"},
    {OPTION_ID_emit_bundle, OPTION_ID_labels, "what is written is not run"},
    {OPTION_ID_emit_bundle, OPTION_ID_label_offset, "what is written is not run"},
    {OPTION_ID_emit_bundle, OPTION_ID_compute_softmax, "the network is written as it is"},
    {OPTION_ID_emit_bundle, OPTION_ID_expected_labels, "what is written is not run"},
    {OPTION_ID_emit_bundle, OPTION_ID_expected_labels_file, "what is written is not run"},
    {OPTION_ID_emit_bundle, OPTION_ID_time, "what is written is not run"},
    {OPTION_ID_emit_bundle, OPTION_ID_reset_state, "what is written is not run"},
    {OPTION_ID_emit_bundle, OPTION_ID_iterations, "what is written is not run"},
    {OPTION_ID_emit_bundle, OPTION_ID_ve_cores, "what is written is not run"},
    {OPTION_ID_verify, OPTION_ID_output, "-verify writes no tensors"},
    {OPTION_ID_verify, OPTION_ID_topk, "-verify prints no labels"},
    {OPTION_ID_verify, OPTION_ID_labels, "-verify prints no labels"},
    {OPTION_ID_verify, OPTION_ID_label_offset, "-verify prints no labels"},
    {OPTION_ID_verify, OPTION_ID_compute_softmax, "-verify prints no labels"},
    {OPTION_ID_verify, OPTION_ID_expected_labels, "-verify prints no labels"},
    {OPTION_ID_verify, OPTION_ID_expected_labels_file, "-verify prints no labels"},
    {OPTION_ID_verify, OPTION_ID_time, "-verify runs node by node"},
    {OPTION_ID_verify, OPTION_ID_iterations, "-verify runs once"},
    {OPTION_ID_dump_profile, OPTION_ID_load_profile, "profiles are taken of the float network"},
    {OPTION_ID_dump_profile, OPTION_ID_convert_to_fp16, "profiles are taken of the float network"},
    {OPTION_ID_dump_profile, OPTION_ID_weights_only, "profiles are taken of the float network"},
    {OPTION_ID_dump_profile, OPTION_ID_assert_all_nodes_quantized,
     "profiles are taken of the float network"},
    {OPTION_ID_dump_profile, OPTION_ID_emit_bundle, "first take the profile, then use it"},
    {OPTION_ID_dump_profile, OPTION_ID_interpreter, "profiles are taken of compiled code"},
    {OPTION_ID_dump_profile, OPTION_ID_verify, "each decides what the network is run for"},
    {OPTION_ID_dump_profile, OPTION_ID_output, "taking a profile writes no tensors"},
    {OPTION_ID_dump_profile, OPTION_ID_topk, "taking a profile prints no labels"},
    {OPTION_ID_dump_profile, OPTION_ID_labels, "taking a profile prints no labels"},
    {OPTION_ID_dump_profile, OPTION_ID_label_offset, "taking a profile prints no labels"},
    {OPTION_ID_dump_profile, OPTION_ID_compute_softmax, "taking a profile prints no labels"},
    {OPTION_ID_dump_profile, OPTION_ID_expected_labels, "taking a profile prints no labels"},
    {OPTION_ID_dump_profile, OPTION_ID_expected_labels_file, "taking a profile prints no labels"},
    {OPTION_ID_dump_profile, OPTION_ID_time, "most of the time is not the network's"},
    {OPTION_ID_dump_profile, OPTION_ID_iterations, "a sample counts once"},
    {OPTION_ID_qdq, OPTION_ID_load_profile, "it is about models that are quantized already"},
    {OPTION_ID_compare_qdq, OPTION_ID_qdq, "both modes are compared"},
    {OPTION_ID_compare_qdq, OPTION_ID_load_profile,
     "it is about models that are quantized already"},
    {OPTION_ID_compare_qdq, OPTION_ID_weights_only,
     "it is about models that are quantized already"},
    {OPTION_ID_compare_qdq, OPTION_ID_convert_to_fp16,
     "it is about models that are quantized already"},
    {OPTION_ID_compare_qdq, OPTION_ID_dump_profile, "each decides what the network is run for"},
    {OPTION_ID_compare_qdq, OPTION_ID_verify, "each decides what the network is run for"},
    {OPTION_ID_compare_qdq, OPTION_ID_emit_bundle, "what is written is not run"},
    {OPTION_ID_compare_qdq, OPTION_ID_interpreter, "compiled code is compared"},
    {OPTION_ID_compare_qdq, OPTION_ID_output, "-compare-qdq writes no tensors"},
    {OPTION_ID_compare_qdq, OPTION_ID_topk, "-compare-qdq prints no labels"},
    {OPTION_ID_compare_qdq, OPTION_ID_labels, "-compare-qdq prints no labels"},
    {OPTION_ID_compare_qdq, OPTION_ID_label_offset, "-compare-qdq prints no labels"},
    {OPTION_ID_compare_qdq, OPTION_ID_compute_softmax, "-compare-qdq prints no labels"},
    {OPTION_ID_compare_qdq, OPTION_ID_expected_labels, "-compare-qdq prints no labels"},
    {OPTION_ID_compare_qdq, OPTION_ID_expected_labels_file, "-compare-qdq prints no labels"},
    {OPTION_ID_compare_qdq, OPTION_ID_time, "-compare-qdq runs kernel by kernel"},
    {OPTION_ID_compare_qdq, OPTION_ID_iterations, "-compare-qdq runs once"},
    {OPTION_ID_expected_labels, OPTION_ID_expected_labels_file, "each states what is right"},
    {OPTION_ID_emit_lib, OPTION_ID_weights_format, "-weights says where a library's weights lie"},
    {OPTION_ID_emit_lib, OPTION_ID_may_run_together,
     "each function of a library has memory of its own, so all may run together"},
    {OPTION_ID_repack_weights, OPTION_ID_weights_format, "repacking writes the file NAME.weights"},
    {OPTION_ID_device, OPTION_ID_target, "each names the machine"},
    {OPTION_ID_march, OPTION_ID_mcpu, "each names the processor"},
    {OPTION_ID_vector, OPTION_ID_mcpu, "-march names the processor of a library with it"},
    {OPTION_ID_load_profile, OPTION_ID_weights_only, "each says what becomes of the weights"},
    {OPTION_ID_entry_profile, OPTION_ID_weights_only, "each says what becomes of the weights"},
    {OPTION_ID_entry_profile, OPTION_ID_convert_to_fp16, "each says how tensors are stored"},
    {OPTION_ID_entry_profile, OPTION_ID_qdq, "it is about models that are quantized already"},
    {OPTION_ID_entry_profile, OPTION_ID_quantize_until, "one network is measured"},
    {OPTION_ID_entry_profile, OPTION_ID_quantization_report, "one network is measured"},
    {OPTION_ID_load_profile, OPTION_ID_convert_to_fp16, "each says how tensors are stored"},
    {OPTION_ID_weights_only, OPTION_ID_convert_to_fp16, "each says how weights are stored"},
    {OPTION_ID_use_imagenet_normalization, OPTION_ID_mean, "each states the mean"},
    {OPTION_ID_use_imagenet_normalization, OPTION_ID_stddev, "each states the standard deviation"},
};

static const struct {
    enum option_id a, needed;
    const char *why;
} needs[] = {
    {OPTION_ID_network_name, OPTION_ID_emit_bundle, "it names the files of a bundle"},
    {OPTION_ID_main_entry_name, OPTION_ID_emit_bundle, "it names the function of a bundle"},
    {OPTION_ID_save_asm, OPTION_ID_emit_bundle, "the file is written beside what it is of"},
    {OPTION_ID_debug_info, OPTION_ID_emit_bundle, "debuggers look at compiled code in files"},
    {OPTION_ID_replaceable_weights, OPTION_ID_emit_bundle, "it is about weights in files"},
    {OPTION_ID_repack_weights, OPTION_ID_emit_bundle, "it is about weights in files"},
    {OPTION_ID_weights_format, OPTION_ID_emit_bundle, "they belong to a bundle"},
    {OPTION_ID_section, OPTION_ID_weights_format, "it is where an array of weights lies"},
    {OPTION_ID_add_entry, OPTION_ID_emit_bundle, "what runs here is one network"},
    {OPTION_ID_extern_output, OPTION_ID_extern_op, "it is about outputs of such operators"},
    {OPTION_ID_extern_library, OPTION_ID_extern_op, "it has the functions of such operators"},
    {OPTION_ID_entry_profile, OPTION_ID_add_entry, "it is about a further model"},
    {OPTION_ID_entry_input, OPTION_ID_add_entry, "it is about a further model"},
    {OPTION_ID_may_run_together, OPTION_ID_add_entry, "it is about several functions"},
    {OPTION_ID_target, OPTION_ID_emit_bundle, "code for another machine cannot run here"},
    {OPTION_ID_float_abi, OPTION_ID_emit_bundle, "what runs here has this machine's"},
    {OPTION_ID_quantization_schema, OPTION_ID_load_profile, "it is about quantization"},
    {OPTION_ID_quantization_precision, OPTION_ID_load_profile, "it is about quantization"},
    {OPTION_ID_quantization_precision_bias, OPTION_ID_load_profile, "it is about quantization"},
    {OPTION_ID_quantization_calibration, OPTION_ID_load_profile, "it is about quantization"},
    {OPTION_ID_quantization_percentile, OPTION_ID_load_profile, "it is about quantization"},
    {OPTION_ID_calibrate_constants, OPTION_ID_load_profile, "it is about quantization"},
    {OPTION_ID_weights_block, OPTION_ID_weights_only, "blocks are of such weights"},
    {OPTION_ID_fp16_format, OPTION_ID_convert_to_fp16, "it says to which 16 bits"},
    {OPTION_ID_quantization_report, OPTION_ID_load_profile, "it tells what quantization does"},
    {OPTION_ID_quantize_until, OPTION_ID_load_profile, "it starts from the quantized network"},
    {OPTION_ID_merge_profile, OPTION_ID_dump_profile, "it names the file for the sum"},
    {OPTION_ID_cc, OPTION_ID_gpu, "processors have no compute capability"},
    {OPTION_ID_ptxas, OPTION_ID_gpu, "it makes code for GPUs"},
    {OPTION_ID_ptxas, OPTION_ID_emit_bundle, "what runs here the driver translates"},
    {OPTION_ID_host_nodes, OPTION_ID_gpu, "without a device the host computes all"},
    {OPTION_ID_ve_cores, OPTION_ID_ve, "they are the Vector Engine's"},
    {OPTION_ID_fp32_math, OPTION_ID_gpu, "processors multiply floats as they are"},
    {OPTION_ID_lib_name, OPTION_ID_emit_lib, "it names the files of a library"},
    {OPTION_ID_func_name, OPTION_ID_emit_lib, "it names the function of a library"},
    {OPTION_ID_path, OPTION_ID_emit_lib, "it is the folder of a library"},
    {OPTION_ID_device, OPTION_ID_emit_lib, "-target names the machine of a bundle"},
    {OPTION_ID_host, OPTION_ID_emit_lib, "it is about a library"},
    {OPTION_ID_march, OPTION_ID_emit_lib, "-mcpu names the processor of a bundle"},
    {OPTION_ID_mtune, OPTION_ID_emit_lib, "it is about a library"},
    {OPTION_ID_elf, OPTION_ID_emit_lib, "it is about linking a library"},
    {OPTION_ID_oformat, OPTION_ID_emit_lib, "it is about linking a library"},
    {OPTION_ID_vector, OPTION_ID_emit_lib, "-mcpu and -mattr say it of a bundle"},
    {OPTION_ID_weights, OPTION_ID_emit_lib, "the file belongs to a library"},
    {OPTION_ID_bundle_objects, OPTION_ID_emit_lib, "they become part of a library"},
};

/* What needs -emit-bundle in the table, and has enough in -emit-lib. */
static bool is_for_libraries_too(enum option_id id)
{
    static const enum option_id ids[] = {
        OPTION_ID_save_asm,       OPTION_ID_debug_info, OPTION_ID_replaceable_weights,
        OPTION_ID_repack_weights, OPTION_ID_add_entry,  OPTION_ID_target,
        OPTION_ID_float_abi,      OPTION_ID_ptxas,
    };
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (ids[i] == id)
            return true;
    return false;
}

/* A bundle can be asked for in one go with what its network is measured on. */
static bool is_measured_on(const struct loader_options *opt, enum option_id id)
{
    static const enum option_id samples[] = {
        OPTION_ID_input,
        OPTION_ID_input_dir,
        OPTION_ID_input_list,
        OPTION_ID_expected_labels,
        OPTION_ID_expected_labels_file,
        OPTION_ID_topk,
        OPTION_ID_label_offset,
    };
    if (!opt->quantization_report && !opt->given[OPTION_ID_quantize_until])
        return false;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        if (samples[i] == id)
            return true;
    return false;
}

/* What excludes -emit-bundle excludes -emit-lib. */
static enum option_id or_library(const struct loader_options *opt, enum option_id id)
{
    bool is_library = id == OPTION_ID_emit_bundle && option_active(opt, OPTION_ID_emit_lib);
    return is_library ? OPTION_ID_emit_lib : id;
}

static bool check_pairs(const struct loader_options *opt, struct error *err)
{
    for (size_t i = 0; i < sizeof conflicts / sizeof *conflicts; i++) {
        enum option_id a = or_library(opt, conflicts[i].a), b = or_library(opt, conflicts[i].b);
        if (option_active(opt, a) && option_active(opt, b) &&
            !(conflicts[i].a == OPTION_ID_emit_bundle && is_measured_on(opt, b)))
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "options -%s and -%s exclude each other: %s", option_table[a].name,
                             option_table[b].name, conflicts[i].why);
    }
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
        enum option_id needed = needs[i].needed;
        bool or_lib = is_for_libraries_too(needs[i].a);
        if (or_lib)
            needed = or_library(opt, needed);
        if (needed == OPTION_ID_load_profile && option_active(opt, OPTION_ID_entry_profile))
            continue; /* it is about a further model's profile */
        if (needs[i].a == OPTION_ID_device && (opt->gpu || opt->ve))
            continue; /* it is another word for -gpu or -ve */
        if (needs[i].a == OPTION_ID_host_nodes && opt->ve)
            continue;
        if (option_active(opt, needs[i].a) && !option_active(opt, needed))
            return error_set(err, SHEAF_ERROR_ARGUMENT, "option -%s needs -%s%s: %s",
                             option_table[needs[i].a].name, option_table[needed].name,
                             or_lib ? " or -emit-lib" : "", needs[i].why);
    }
    return true;
}

/* An audit reads one file. */
static bool check_audit(const struct loader_options *opt, struct error *err)
{
    for (int id = 0; id < OPTION_ID_COUNT; id++)
        if (opt->given[id] && id != OPTION_ID_audit)
            return error_set(
                err, SHEAF_ERROR_ARGUMENT,
                "options -audit and -%s exclude each other: an audit reads nothing but "
                "the object",
                option_table[id].name);
    if (opt->images.n)
        return error_set(err, SHEAF_ERROR_ARGUMENT, "%s: -audit reads one file",
                         opt->images.item[0]);
    return true;
}

/* Merging knows of files only. */
static bool check_merge(const struct loader_options *opt, struct error *err)
{
    for (int id = 0; id < OPTION_ID_COUNT; id++)
        if (opt->given[id] && id != OPTION_ID_merge_profile && id != OPTION_ID_dump_profile)
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "options -merge-profile and -%s exclude each other: merging reads "
                             "nothing but profiles",
                             option_table[id].name);
    if (opt->images.n)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "%s: merging reads nothing but profiles, and they are named in "
                         "-merge-profile, with commas between them",
                         opt->images.item[0]);
    return true;
}

static bool check_range(enum option_id id, int64_t v, int64_t low, int64_t high, struct error *err)
{
    if (v >= low && v <= high)
        return true;
    return error_set(err, SHEAF_ERROR_ARGUMENT, "option -%s must lie in %lld to %lld, not %lld",
                     option_table[id].name, (long long)low, (long long)high, (long long)v);
}

static bool check_until(const struct loader_options *opt, struct error *err)
{
    if (!opt->given[OPTION_ID_quantize_until])
        return true;
    if (!(opt->quantize_until >= 0 && opt->quantize_until <= 100))
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -quantize-until must lie in 0 to 100, not %g",
                         opt->quantize_until);
    if (opt->expected_labels.n == 0 && !opt->expected_labels_file)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -quantize-until needs -expected-labels or -expected-labels-file: "
                         "it counts right labels");
    return true;
}

/* Options that mean something with more than one other. */
static bool check_quantization(const struct loader_options *opt, struct error *err)
{
    bool narrows = opt->load_profile.n || opt->convert_to_fp16;
    if (opt->keep_original_precision_for_nodes.n && !narrows && opt->weights_only < 0 &&
        !opt->assert_all_nodes_quantized)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -keep-original-precision-for-nodes needs -load-profile, "
                         "-weights-only, -convert-to-fp16 or -assert-all-nodes-quantized: else "
                         "every node has the precision that the model gives it");
    if (opt->convert_placeholders && !narrows)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -convert-placeholders needs -load-profile or -convert-to-fp16: "
                         "else they keep their types anyway");
    if (opt->given[OPTION_ID_quantization_percentile] &&
        opt->quantization_calibration != CALIBRATION_PERCENTILE)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -quantization-percentile needs "
                         "-quantization-calibration=percentile");
    if (!(opt->quantization_percentile > 0 && opt->quantization_percentile <= 100))
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -quantization-percentile must be above 0 and at most 100, not %g",
                         opt->quantization_percentile);
    return true;
}

static bool check_section(const struct loader_options *opt, struct error *err)
{
    enum weights_format f = (enum weights_format)opt->weights_format;
    if (!opt->section)
        return true;
    if (!weights_is_array(f))
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -section needs -weights-format=c or object: no array is written");
    return weights_check_section(opt->section, err);
}

static bool check_values(const struct loader_options *opt, struct error *err)
{
    if (opt->model.n == 0)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "no network is given: -m names a Caffe2 folder or an .onnx file");
    if (opt->model.n > 2)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -model takes a net and its weights, not %zu paths", opt->model.n);
    if (!check_range(OPTION_ID_topk, opt->topk, 1, 1000000, err) ||
        !check_range(OPTION_ID_iterations, opt->iterations, 1, 1000000000, err) ||
        !check_range(OPTION_ID_ve_cores, opt->ve_cores, 1, SHEAF_VE_MAX_RANKS, err) ||
        !check_range(OPTION_ID_label_offset, opt->label_offset, -1000000000, 1000000000, err) ||
        !check_range(OPTION_ID_weights_block, opt->weights_block, 0, 1 << 30, err))
        return false;
    if (opt->given[OPTION_ID_num_histogram_bins] &&
        !check_range(OPTION_ID_num_histogram_bins, opt->num_histogram_bins, 1, 1 << 30, err))
        return false;
    if (opt->mcpu.n > 1 && !opt->emit_bundle && opt->emit_lib == EMIT_LIB_NONE)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -mcpu names %zu processors: only a bundle holds code for several",
                         opt->mcpu.n);
    if (opt->mcpu.n > 1 && (opt->gpu || opt->ve))
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -mcpu names %zu processors, but with -%s one is the host",
                         opt->mcpu.n, opt->gpu ? "gpu" : "ve");
    for (size_t i = 0; i < opt->cc.n; i++)
        if (!check_range(OPTION_ID_cc, opt->cc.item[i], 1, 999, err))
            return false;
    if (!check_until(opt, err) || !check_section(opt, err))
        return false;
    for (size_t i = 0; i < opt->stddev.n; i++)
        if (opt->stddev.item[i] <= 0)
            return error_set(err, SHEAF_ERROR_ARGUMENT, "option -stddev: %g is not positive",
                             opt->stddev.item[i]);
    return true;
}

/* The types of -model-input: ours, and the words of the ancestor. */
static const struct {
    const char *word;
    enum dtype dtype;
    bool quantized;
} input_types[] = {
    {"float", DTYPE_F32, false},     {"double", DTYPE_F64, false}, {"float16", DTYPE_F16, false},
    {"bfloat16", DTYPE_BF16, false}, {"int8", DTYPE_I8, false},    {"int16", DTYPE_I16, false},
    {"int32", DTYPE_I32, false},     {"int64", DTYPE_I64, false},  {"uint8", DTYPE_U8, false},
    {"uint16", DTYPE_U16, false},    {"uint32", DTYPE_U32, false}, {"uint64", DTYPE_U64, false},
    {"bool", DTYPE_BOOL, false},     {"int8q", DTYPE_I8, true},    {"int16q", DTYPE_I16, true},
    {"int32q", DTYPE_I32, true},     {"uint8q", DTYPE_U8, true},   {"uint16q", DTYPE_U16, true},
};

bool model_input_type(const char *word, enum dtype *out_dtype, bool *out_quantized)
{
    *out_quantized = false;
    for (size_t i = 0; i < sizeof input_types / sizeof *input_types; i++) {
        if (strcmp(word, input_types[i].word) == 0) {
            *out_dtype = input_types[i].dtype;
            *out_quantized = input_types[i].quantized;
            return true;
        }
    }
    *out_dtype = dtype_parse(word);
    return *out_dtype != DTYPE_NONE;
}

/* A copy of the text up to the next comma; *text moves behind the comma, to NULL at the end. */
static const char *next_field(struct arena *a, const char **text)
{
    size_t n = strcspn(*text, ",");
    const char *field = arena_strndup(a, *text, n);
    *text = (*text)[n] ? *text + n + 1 : NULL;
    return field;
}

static bool parse_dims(struct arena *a, const char *text, struct import_input *in)
{
    size_t n = strlen(text);
    if (n < 2 || text[0] != '[' || text[n - 1] != ']')
        return false;
    int64_t elems = 1;
    const char *rest = n > 2 ? arena_strndup(a, text + 1, n - 2) : NULL;
    for (in->rank = 0; rest; in->rank++) {
        int64_t d;
        if (in->rank == MAX_RANK || !option_parse_int(next_field(a, &rest), &d) || d < 1 ||
            !checked_mul(elems, d, &elems) || elems > LIMIT_TENSOR_ELEMS)
            return false;
        in->dims[in->rank] = d;
    }
    return true;
}

bool model_input_parse(struct arena *a, const char *said, const char *text,
                       struct import_input *out_input, struct error *err)
{
    struct import_input in = {.rank = -1};
    const char *rest = text;
    in.name = next_field(a, &rest);
    if (!*in.name)
        return error_set(err, SHEAF_ERROR_ARGUMENT, "%s: the name is empty", said);
    if (!rest) {
        *out_input = in;
        return true;
    }
    const char *word = next_field(a, &rest);
    bool quantized;
    if (!model_input_type(word, &in.dtype, &quantized))
        return error_set(err, SHEAF_ERROR_ARGUMENT, "%s: '%s' is no type", said, word);
    if (quantized) {
        double scale = 0;
        int64_t offset = 0;
        if (!rest || !option_parse_float(next_field(a, &rest), &scale) || !(scale > 0) || !rest ||
            !option_parse_int(next_field(a, &rest), &offset) || offset < INT32_MIN ||
            offset > INT32_MAX || !((float)scale > 0) || isinf((float)scale))
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "%s: %s is followed by a positive scale and a whole offset", said,
                             word);
        in.quant.scale = (float)scale;
        in.quant.zero_point = (int32_t)offset;
    }
    if (!rest || !parse_dims(a, rest, &in))
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "%s: the end must be dimensions as in [1,3,224,224], at most %d, each "
                         "positive",
                         said, MAX_RANK);
    *out_input = in;
    return true;
}

static bool parse_model_inputs(struct arena *a, struct loader_options *opt, struct error *err)
{
    size_t n = opt->model_input.n;
    opt->model_inputs = arena_array(a, n, sizeof *opt->model_inputs);
    for (size_t i = 0; i < n; i++) {
        struct import_input *in = &opt->model_inputs[i];
        const char *text = opt->model_input.item[i];
        if (!model_input_parse(a, arena_printf(a, "-model-input '%s'", text), text, in, err))
            return false;
        for (size_t j = 0; j < i; j++)
            if (strcmp(in->name, opt->model_inputs[j].name) == 0)
                return error_set(err, SHEAF_ERROR_ARGUMENT, "option -model-input names '%s' twice",
                                 in->name);
    }
    return true;
}

/* NAME<=N: the model is compiled for one item, and the caller has up to N. */
static bool leave_open(struct loader_options *opt, struct import_symbol *s, struct error *err)
{
    if (opt->items)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -onnx-define-symbol leaves both '%s' and '%s' open, but only one "
                         "symbol can be",
                         opt->items, s->name);
    opt->items = s->name;
    opt->max_items = s->value;
    s->value = 1;
    s->is_batch = true;
    return true;
}

static bool parse_symbols(struct arena *a, struct loader_options *opt, struct error *err)
{
    size_t n = opt->onnx_define_symbol.n;
    opt->symbols = arena_array(a, n, sizeof *opt->symbols);
    for (size_t i = 0; i < n; i++) {
        const char *text = opt->onnx_define_symbol.item[i];
        const char *comma = strrchr(text, ','), *bound = strstr(text, "<=");
        const char *end = comma ? comma : bound;
        struct import_symbol *s = &opt->symbols[i];
        if (!end || end == text || !option_parse_int(end + (comma ? 1 : 2), &s->value) ||
            s->value < (comma ? 0 : 1) || s->value > INT32_MAX)
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "-onnx-define-symbol '%s': a name, a comma and a whole number below "
                             "2^31 are needed, or a name, <= and a positive one, as in batch,1 or "
                             "batch<=8",
                             text);
        s->name = arena_strndup(a, text, (size_t)(end - text));
        if (!comma && !leave_open(opt, s, err))
            return false;
        for (size_t j = 0; j < i; j++)
            if (strcmp(s->name, opt->symbols[j].name) == 0)
                return error_set(err, SHEAF_ERROR_ARGUMENT,
                                 "option -onnx-define-symbol names '%s' twice", s->name);
    }
    return true;
}

/* Appends to `args`, which has n_before and room. */
static bool parse_tensor_args(struct arena *a, const struct option_texts *texts, enum option_id id,
                              enum tensor_arg_kind kind, struct tensor_arg *args, size_t n_before,
                              struct error *err)
{
    const char *option = option_table[id].name;
    for (size_t i = 0; i < texts->n; i++) {
        const char *equals = strchr(texts->item[i], '=');
        struct tensor_arg *arg = &args[n_before + i];
        if (!equals || equals == texts->item[i] || !equals[1])
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "-%s '%s': the name of a tensor, '=' and a %s are needed", option,
                             texts->item[i], kind == TENSOR_ARG_DIR ? "folder" : "file");
        arg->name = arena_strndup(a, texts->item[i], (size_t)(equals - texts->item[i]));
        arg->path = equals + 1;
        arg->kind = kind;
        for (size_t j = 0; j < n_before + i; j++)
            if (strcmp(arg->name, args[j].name) == 0)
                return error_set(err, SHEAF_ERROR_ARGUMENT,
                                 j < n_before ? "option -%s names '%s', which has files already"
                                              : "option -%s names '%s' twice",
                                 option, arg->name);
    }
    return true;
}

static bool parse_tensors(struct arena *a, struct loader_options *opt, struct error *err)
{
    size_t n_file = opt->input.n, n_dir = opt->input_dir.n, n_list = opt->input_list.n;
    opt->n_inputs = n_file + n_dir + n_list;
    opt->inputs = arena_array(a, opt->n_inputs, sizeof *opt->inputs);
    opt->outputs = arena_array(a, opt->output.n, sizeof *opt->outputs);
    return parse_tensor_args(a, &opt->input, OPTION_ID_input, TENSOR_ARG_FILE, opt->inputs, 0,
                             err) &&
           parse_tensor_args(a, &opt->input_dir, OPTION_ID_input_dir, TENSOR_ARG_DIR, opt->inputs,
                             n_file, err) &&
           parse_tensor_args(a, &opt->input_list, OPTION_ID_input_list, TENSOR_ARG_LIST,
                             opt->inputs, n_file + n_dir, err) &&
           parse_tensor_args(a, &opt->output, OPTION_ID_output, TENSOR_ARG_FILE, opt->outputs, 0,
                             err);
}

bool options_check(struct arena *a, struct loader_options *opt, struct error *err)
{
    if (opt->audit)
        return check_audit(opt, err);
    if (!options_device(opt, err))
        return false;
    if (opt->merge_profile.n)
        return check_pairs(opt, err) && check_merge(opt, err);
    return check_pairs(opt, err) && check_quantization(opt, err) && check_values(opt, err) &&
           parse_model_inputs(a, opt, err) && parse_symbols(a, opt, err) &&
           options_extern(a, opt, err) && options_entries(a, opt, err) &&
           options_library(a, opt, err) && parse_tensors(a, opt, err) &&
           interface_parse(a, opt, err);
}
