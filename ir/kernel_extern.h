/*
 * kernel_extern.h: calls of the user's functions inside of kernels: their parts of what
 * kernel_clone.c, kernel_text.c, kernel_parse.c and kernel_validate.c do.
 */
#ifndef SHEAF_IR_KERNEL_EXTERN_H
#define SHEAF_IR_KERNEL_EXTERN_H

#include "ir/kernel.h"
#include "ir/kernel_token.h"

struct kextern *kextern_copy(struct arena *a, const struct kextern *call);
/* As in: extern "com.acme.Foo" (@0, _) -> (@1) {floats "alpha" (0.5), tensor "table" @2} */
void kextern_print(struct strbuf *out, const struct kextern *call);
struct kextern *kextern_parse(struct ktokens *t);
/* What is wrong with the call; NULL: nothing. */
const char *kextern_fault(const struct kernel *k, const struct kextern *call);

#endif
