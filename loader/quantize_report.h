/*
 * quantize_report.h: what quantization did to a network, as text.
 */
#ifndef SHEAF_LOADER_QUANTIZE_REPORT_H
#define SHEAF_LOADER_QUANTIZE_REPORT_H

#include "loader/quantize_error.h"

/*
 * Every tensor that both networks have with its SQNR and the node that makes it, the node that adds
 * most noise of its own first; then the nodes that compute in float, with the reason.
 * After quantize_errors_blame.
 */
void quantize_report_print(struct strbuf *out, const struct quantize_errors *e,
                           const struct quantize_report *notes);

/* The tensors of `e`, the most damaging first; among equals the noisiest, then as in the network.
 */
const struct tensor_error **quantize_report_ranked(struct arena *a,
                                                   const struct quantize_errors *e);

/* Nodes in float, one a line, indented. */
void quantize_report_print_kept(struct strbuf *out, const struct quantize_report *notes);

#endif
