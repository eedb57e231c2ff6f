#include "ir/ops/control.h"

bool control_infer_block(struct graph *g, struct block *b, struct error *err)
{
    /* The outer node's sentence names the file already. */
    const char *source = g->source;
    g->source = "";
    bool ok = graph_infer_block(g, b, err);
    g->source = source;
    for (size_t i = 0; ok && i < b->n_out; i++)
        if (b->out[i]->dtype == DTYPE_NONE)
            ok =
                error_set(err, SHEAF_ERROR_SHAPE, "the type of '%s' is not known", b->out[i]->name);
    return ok;
}
