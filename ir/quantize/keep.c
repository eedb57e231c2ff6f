/*
 * keep.c: what the user wants to stay in float.
 */
#include "ir/quantize/quantizer.h"

const char *quantize_kept_by(const struct quantize_keep *keep, const struct node *n)
{
    struct node_set of_option = keep->nodes;
    of_option.n_names -= keep->n_searched;
    if (node_set_has(&of_option, n))
        return "kept by -keep-original-precision-for-nodes";
    return node_set_has(&keep->nodes, n) ? "kept by -quantize-until" : NULL;
}
