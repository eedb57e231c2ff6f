/*
 * regex.h: regular expressions as tables of states.
 */
#ifndef SHEAF_LOADER_IMPORT_ONNX_COMPOSE_REGEX_H
#define SHEAF_LOADER_IMPORT_ONNX_COMPOSE_REGEX_H

#include "loader/import/onnx/onnx.h"

/* What OP_automaton needs to match whole strings: in RE2's syntax, without flags, Unicode classes
   and members beyond ASCII in brackets. */
bool onnx_regex(struct onnx *o, const struct draft *d, const char *pattern, struct value **out_next,
                struct value **out_accepts);

#endif
