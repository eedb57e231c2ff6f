/*
 * ptx_parse.h: what the two halves of the parser have in common.
 */
#ifndef SHEAF_TESTS_SIM_PTX_PARSE_H
#define SHEAF_TESTS_SIM_PTX_PARSE_H

#include "tests/sim/ptx.h"
#include "tests/sim/ptx_lex.h"

/* Names that are visible; a scope that ends puts the old heads back. */
struct ptx_scope {
    struct ptx_registers *registers;
    struct ptx_variable *variables;
};

struct ptx_parser {
    struct ptx_lexer lex;
    struct ptx_module *module;
    struct ptx_function *function; /* the one whose body is parsed */
    struct ptx_scope scope;
    struct error *err;
};

/* Sets the sentence, with the line of the current token; returns false. */
bool ptx_parse_fail(struct ptx_parser *p, const char *what);
char *ptx_parse_take_word(struct ptx_parser *p); /* and goes on */
bool ptx_parse_take_sign(struct ptx_parser *p, char sign);
/* ".align 4 .b8 name[16] = {..}" from behind the space's word up to `;`, `,` or `)`. */
struct ptx_variable *ptx_parse_variable(struct ptx_parser *p, enum ptx_space space);
/* From behind the `{` to the `}` of the function. */
bool ptx_parse_body(struct ptx_parser *p);

/* Special registers by number; -1 if there is none of that name. */
#define PTX_SPECIALS(S)                                                                            \
    S(tid_x, "%tid.x")                                                                             \
    S(tid_y, "%tid.y")                                                                             \
    S(tid_z, "%tid.z")                                                                             \
    S(ntid_x, "%ntid.x")                                                                           \
    S(ntid_y, "%ntid.y")                                                                           \
    S(ntid_z, "%ntid.z")                                                                           \
    S(ctaid_x, "%ctaid.x")                                                                         \
    S(ctaid_y, "%ctaid.y")                                                                         \
    S(ctaid_z, "%ctaid.z")                                                                         \
    S(nctaid_x, "%nctaid.x")                                                                       \
    S(nctaid_y, "%nctaid.y")                                                                       \
    S(nctaid_z, "%nctaid.z")                                                                       \
    S(laneid, "%laneid")                                                                           \
    S(warpid, "%warpid")                                                                           \
    S(nwarpid, "%nwarpid")                                                                         \
    S(lanemask_eq, "%lanemask_eq")                                                                 \
    S(lanemask_le, "%lanemask_le")                                                                 \
    S(lanemask_lt, "%lanemask_lt")                                                                 \
    S(lanemask_ge, "%lanemask_ge")                                                                 \
    S(lanemask_gt, "%lanemask_gt")                                                                 \
    S(dynamic_smem_size, "%dynamic_smem_size")                                                     \
    S(total_smem_size, "%total_smem_size")                                                         \
    S(clock, "%clock")                                                                             \
    S(clock64, "%clock64")                                                                         \
    S(globaltimer, "%globaltimer")

enum ptx_special {
#define PTX_SPECIAL(name, text) PTX_SPECIAL_##name,
    PTX_SPECIALS(PTX_SPECIAL)
#undef PTX_SPECIAL
        PTX_N_SPECIALS
};

#endif
