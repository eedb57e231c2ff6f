/*
 * kernel_text.h: what the printer and the parser of kernels share.
 */
#ifndef SHEAF_IR_KERNEL_TEXT_H
#define SHEAF_IR_KERNEL_TEXT_H

#include "ir/kernel_scalar.h"

extern const char *const kernel_combine_names[]; /* by enum kcombine */
extern const char *const kernel_iter_names[];    /* by enum kiter */
extern const char *const kernel_role_names[];    /* by enum kbuf_role */

/* Between quotation marks, as ktoken_quoted reads it. */
void kernel_print_quoted(struct strbuf *out, const char *s);

/* A number with its type: 3 is i64, 0.5 is f32, true is bool, all others say it: 3:u8. */
void kernel_print_literal(struct strbuf *out, enum dtype type, union kscalar s);

#endif
