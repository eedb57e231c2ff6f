/*
 * deploy.h: a trained network made into a C library by a function call: what `loader -emit-lib`
 * does, with the same words.
 *
 *     struct sheaf_deploy_options o = {0};
 *     char said[1024];
 *     o.struct_size = sizeof o;
 *     o.target = "shared_lib";
 *     o.model = "alexnet.onnx";
 *     o.lib_name = "libNN";
 *     o.func_name = "predict";
 *     enum sheaf_status status = sheaf_deploy(&o, said, sizeof said);
 *
 * writes libNN.so and libNN.h into the current folder.  docs/deploy.md tells how they are used. One
 * call at a time in a process; it starts child processes, and waits for them.  Valid C99, C11 and
 * C++.
 */
#ifndef SHEAF_DEPLOY_H
#define SHEAF_DEPLOY_H

#include "bundle/bundle.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Texts are the caller's, and NULL stands for the default.  Zero the struct first: fields are only
   ever appended. */
struct sheaf_deploy_options {
    size_t struct_size;    /* sizeof(struct sheaf_deploy_options) */
    const char *target;    /* "shared_lib" or "static_lib"; -emit-lib's words do as well */
    const char *model;     /* -model; needed */
    const char *lib_name;  /* -lib-name */
    const char *func_name; /* -func-name */
    const char *path;      /* -path */
    const char *device;    /* -device */
    const char *host;      /* -host */
    const char *march;     /* -march */
    const char *mtune;     /* -mtune */
    const char *elf;       /* -elf */
    const char *oformat;   /* -oformat */
    const char *vector;    /* -vector */
    const char *weights;   /* -weights */
    /* Further options as they are written on the command line of the tool: shapes of inputs
       ("-model-input=data,float,[1,3,224,224]"), a profile ("-load-profile=p.yml"). */
    const char *const *arguments;
    size_t n_arguments;
    const char *cc; /* -cc, with device "nvidia": "80", "80,90" */
};

/*
 * Compiles the model and writes library and header, all files or none.  `message` (or NULL)
 * receives one text that ends within message_size: on success what the application's linker must be
 * told, else one sentence about what is wrong.
 */
enum sheaf_status sheaf_deploy(const struct sheaf_deploy_options *options, char *message,
                               size_t message_size);

#ifdef __cplusplus
}
#endif

#endif
