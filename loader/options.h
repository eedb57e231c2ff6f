/*
 * options.h: the command line, parsed (table: options.def).
 *
 * An option takes one dash or two, `-opt value` or `-opt=value`; hyphens and underscores are the
 * same.  A word that is no option is the path of an image.  `--` ends the options.  Texts lie in
 * the arena or in argv; both must outlive the struct.
 */
#ifndef SHEAF_LOADER_OPTIONS_H
#define SHEAF_LOADER_OPTIONS_H

#include "ir/arena.h"
#include "ir/error.h"
#include "ir/passes/interface.h"
#include "ir/strbuf.h"
#include "loader/import/import.h"

struct option_texts {
    const char **item;
    size_t n, cap;
};

struct option_floats {
    double *item;
    size_t n, cap;
};

struct option_ints {
    int64_t *item;
    size_t n, cap;
};

#define OPTION_TYPE_BOOL   bool
#define OPTION_TYPE_INT    int64_t
#define OPTION_TYPE_STRING const char *
#define OPTION_TYPE_CHOICE int
#define OPTION_TYPE_NUMBER double
#define OPTION_TYPE_LIST   struct option_texts
#define OPTION_TYPE_REPEAT struct option_texts
#define OPTION_TYPE_FLOATS struct option_floats
#define OPTION_TYPE_INTS   struct option_ints

/* The rows of the table: OPTION_ID_<field>, and the titles between them. */
enum option_id {
#define OPTION_GROUP(id, title)                                OPTION_ROW_##id,
#define OPTION(kind, field, name, alias, value, initial, help) OPTION_ID_##field,
#include "loader/options.def"
#undef OPTION
#undef OPTION_GROUP
    OPTION_ID_COUNT
};

/* The words of the CHOICE options in the order of the table. */
enum image_mode {
    IMAGE_MODE_0TO1,
    IMAGE_MODE_0TO255,
    IMAGE_MODE_NEG1TO1,
    IMAGE_MODE_NEG128TO127,
    IMAGE_MODE_0TO256,  /* seed-era spelling of 0TO255 */
    IMAGE_MODE_128TO127 /* seed-era spelling of NEG128TO127 */
};
enum emit_lib { EMIT_LIB_NONE = -1, EMIT_LIB_SHARED, EMIT_LIB_STATIC };
enum vector_width {
    VECTOR_NATIVE,
    VECTOR_SSE2,
    VECTOR_SSE4,
    VECTOR_AVX,
    VECTOR_AVX2,
    VECTOR_AVX512
};
enum image_layout { IMAGE_LAYOUT_NCHW, IMAGE_LAYOUT_NHWC };
enum image_order { IMAGE_ORDER_RGB, IMAGE_ORDER_BGR };

/* An -input, -input-dir, -input-list or -output. */
enum tensor_arg_kind { TENSOR_ARG_FILE, TENSOR_ARG_DIR, TENSOR_ARG_LIST };
struct tensor_arg {
    const char *name; /* of the tensor */
    const char *path;
    enum tensor_arg_kind kind;
};

/* A further entry of the bundle: what -add-entry and its kin say of it. */
struct entry_arg {
    const char *name;
    struct option_texts model;        /* as -model has it */
    struct option_texts load_profile; /* as -load-profile has it */
    struct import_input *inputs;      /* as -model-input says them */
    size_t n_inputs;
};

struct loader_options {
#define OPTION_GROUP(id, title)
#define OPTION(kind, field, name, alias, value, initial, help) OPTION_TYPE_##kind field;
#include "loader/options.def"
#undef OPTION
#undef OPTION_GROUP
    bool given[OPTION_ID_COUNT]; /* on the command line */
    struct option_texts images;  /* the words that are no options */

    /* Made by options_check from the texts above, one for one; `inputs` from those of all three
       kinds. */
    struct import_input *model_inputs;
    struct import_symbol *symbols;
    struct import_input *extern_outputs;
    struct tensor_arg *inputs, *outputs;
    size_t n_inputs;
    const char *entry; /* the -add-entry that these are about; NULL: -model */
    const char *items; /* the symbol that -onnx-define-symbol leaves open up to max_items */
    int64_t max_items;
    struct interface_change *changes; /* of -input-type and its kin */
    size_t n_changes;
    struct interface_binding *bindings; /* of -bind */
    const char *tune; /* of -mtune, as LLVM names it; NULL: the processor itself */
    struct entry_arg *entries;
    size_t n_entries;
    bool *together; /* (n_entries + 1)^2, the entry of -model first: which may run at one time */
};

/*
 * Parses argv[1] up to argv[argc - 1].  Fails (SHEAF_ERROR_ARGUMENT) on an unknown option, naming
 * the nearest spelling, a missing or malformed value, and an option given twice that takes one
 * value.
 */
bool options_parse(struct arena *a, int argc, char *const *argv, struct loader_options *out_options,
                   struct error *err);

/* Checks what no single option can know (what needs or excludes what) and fills the derived fields.
   Not to be called where only -help or -version is wanted. */
bool options_check(struct arena *a, struct loader_options *opt, struct error *err);

/* Parts of the above, for tests and for other tools. */
bool options_extern(struct arena *a, struct loader_options *opt, struct error *err);
bool options_entries(struct arena *a, struct loader_options *opt, struct error *err);
/* -device=nvidia says -gpu. */
bool options_device(struct loader_options *opt, struct error *err);
/* Says those of -emit-lib in the terms of a bundle's. */
bool options_library(struct arena *a, struct loader_options *opt, struct error *err);
/* The bundle's function behind function FUNC of a library. */
const char *options_library_entry(struct arena *a, const char *func);
bool model_input_type(const char *word, enum dtype *out_dtype, bool *out_quantized);
/* `said`: the option and its value, for sentences. */
bool model_input_parse(struct arena *a, const char *said, const char *text,
                       struct import_input *out_input, struct error *err);

void options_print_help(struct strbuf *out);
void options_print_markdown(struct strbuf *out); /* the table in docs/manual.md */

#endif
