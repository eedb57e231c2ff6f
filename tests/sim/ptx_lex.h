/*
 * ptx_lex.h: the tokens of PTX text.
 *
 * A word is a name, a directive or an opcode with its dots: `.visible`, `%rd1`, `ld.global.v4.f32`.
 */
#ifndef SHEAF_TESTS_SIM_PTX_LEX_H
#define SHEAF_TESTS_SIM_PTX_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ptx_token_kind {
    PTX_TOKEN_END,
    PTX_TOKEN_WORD,
    PTX_TOKEN_INTEGER,
    PTX_TOKEN_F32,
    PTX_TOKEN_F64,
    PTX_TOKEN_STRING,
    PTX_TOKEN_SIGN /* one character: its code is in `value` */
};

struct ptx_token {
    enum ptx_token_kind kind;
    const char *text;
    size_t n_chars;
    int64_t value; /* or the bits of a float */
    int line;
};

struct ptx_lexer {
    const char *at;
    int line;
    struct ptx_token token; /* the current one */
};

void ptx_lex_init(struct ptx_lexer *l, const char *text);
void ptx_lex_next(struct ptx_lexer *l);
bool ptx_lex_is_sign(const struct ptx_lexer *l, char sign);
bool ptx_lex_is_word(const struct ptx_lexer *l, const char *word);

#endif
