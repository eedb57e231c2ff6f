/*
 * kernel_token.h: words, numbers and names of the text form of kernels.
 *
 * The first error is recorded with its line.  After it nothing is accepted any more and every
 * function just returns, so callers check for it only before they use what they read.
 */
#ifndef SHEAF_IR_KERNEL_TOKEN_H
#define SHEAF_IR_KERNEL_TOKEN_H

#include "ir/error.h"
#include "ir/kernel_scalar.h"

struct ktokens {
    struct arena *arena;
    const char *at;
    int line;
    struct error *err;
};

bool ktoken_failed(const struct ktokens *t);
void ktoken_fail(struct ktokens *t, const char *what);

/* Whether the text goes on with this token (a word only where it ends there), and past it. */
bool ktoken_peek(struct ktokens *t, const char *token);
bool ktoken_accept(struct ktokens *t, const char *token);
void ktoken_expect(struct ktokens *t, const char *token);
void ktoken_expect_end(struct ktokens *t);

const char *ktoken_word(struct ktokens *t); /* "" where there is none */
int ktoken_one_of(struct ktokens *t, const char *const *names, int n, const char *what);
int64_t ktoken_integer(struct ktokens *t);
int ktoken_small(struct ktokens *t, int64_t max, const char *what); /* 0 .. max */
enum dtype ktoken_type(struct ktokens *t);
const char *ktoken_quoted(struct ktokens *t);

/* A number with its type (see kernel_print_literal). */
bool ktoken_is_literal(struct ktokens *t);
enum dtype ktoken_literal(struct ktokens *t, union kscalar *out);

#endif
