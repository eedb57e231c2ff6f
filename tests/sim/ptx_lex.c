#include "tests/sim/ptx_lex.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* White space and both kinds of comments. */
static void skip_blanks(struct ptx_lexer *l)
{
    for (;;) {
        if (isspace((unsigned char)*l->at)) {
            l->line += *l->at++ == '\n';
        } else if (strncmp(l->at, "//", 2) == 0) {
            l->at += strcspn(l->at, "\n");
        } else if (strncmp(l->at, "/*", 2) == 0) {
            for (l->at += 2; *l->at && strncmp(l->at, "*/", 2) != 0; l->at++)
                l->line += *l->at == '\n';
            l->at += *l->at ? 2 : 0;
        } else {
            return;
        }
    }
}

static bool is_word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || c == '%' || c == '.' || c == ':';
}

static void lex_word(struct ptx_lexer *l)
{
    struct ptx_token *t = &l->token;
    t->kind = PTX_TOKEN_WORD;
    /* A colon belongs to the word only where it is doubled, as in .shared::cta. */
    while (is_word_char(*l->at)) {
        if (*l->at == ':') {
            if (l->at[1] != ':')
                break;
            l->at++;
        }
        l->at++;
    }
}

static void lex_bits(struct ptx_lexer *l, enum ptx_token_kind kind)
{
    char *end = NULL;
    l->token.kind = kind;
    l->token.value = (int64_t)strtoull(l->at + 2, &end, 16);
    l->at = end;
}

static void lex_number(struct ptx_lexer *l)
{
    char *end = NULL;
    if (l->at[0] == '0' && (l->at[1] == 'f' || l->at[1] == 'F')) {
        lex_bits(l, PTX_TOKEN_F32);
        return;
    }
    if (l->at[0] == '0' && (l->at[1] == 'd' || l->at[1] == 'D')) {
        lex_bits(l, PTX_TOKEN_F64);
        return;
    }
    l->token.kind = PTX_TOKEN_INTEGER;
    l->token.value = (int64_t)strtoull(l->at, &end, 0);
    l->at = end + (*end == 'U');
}

void ptx_lex_next(struct ptx_lexer *l)
{
    skip_blanks(l);
    struct ptx_token *t = &l->token;
    *t = (struct ptx_token){.kind = PTX_TOKEN_END, .text = l->at, .line = l->line};
    if (!*l->at)
        return;
    if (isdigit((unsigned char)*l->at)) {
        lex_number(l);
    } else if (is_word_char(*l->at) && *l->at != ':') {
        lex_word(l);
    } else if (*l->at == '"') {
        t->kind = PTX_TOKEN_STRING;
        l->at += 1 + strcspn(l->at + 1, "\"\n");
        l->at += *l->at == '"';
    } else {
        t->kind = PTX_TOKEN_SIGN;
        t->value = (unsigned char)*l->at++;
    }
    t->n_chars = (size_t)(l->at - t->text);
}

void ptx_lex_init(struct ptx_lexer *l, const char *text)
{
    *l = (struct ptx_lexer){.at = text, .line = 1};
    ptx_lex_next(l);
}

bool ptx_lex_is_sign(const struct ptx_lexer *l, char sign)
{
    return l->token.kind == PTX_TOKEN_SIGN && l->token.value == (unsigned char)sign;
}

bool ptx_lex_is_word(const struct ptx_lexer *l, const char *word)
{
    return l->token.kind == PTX_TOKEN_WORD && strlen(word) == l->token.n_chars &&
           memcmp(word, l->token.text, l->token.n_chars) == 0;
}
