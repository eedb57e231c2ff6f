/*
 * weights_form.h: the forms in which a bundle's weights come: a file that the program reads, or an
 * array that is linked into it, which a processor can read where it lies in flash.
 */
#ifndef SHEAF_BUNDLE_WRITE_WEIGHTS_FORM_H
#define SHEAF_BUNDLE_WRITE_WEIGHTS_FORM_H

#include "bundle/write/bundle.h"

/* Whether the weights are an array that the header declares. */
bool weights_is_array(enum weights_format f);
const char *weights_array(struct arena *a, const struct bundle_request *req); /* its name */

/* Fails on a section name that assemblers and C would not take as it is. */
bool weights_check_section(const char *section, struct error *err);

/* The last part of the file's name and its content; NULL and nothing where there is no file. */
bool weights_file(struct arena *a, const struct bundle_request *req, const char **out_suffix,
                  struct bytes *out_content, struct error *err);

#endif
