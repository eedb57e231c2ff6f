/* Nodes by the words that name them. */
#include <ctype.h>
#include <string.h>

#include "ir/node_set.h"

enum { MOST_OPS = 3 };

/* Words of Glow and Caffe2 that are not those of the operator table, or mean more than one row. */
static const struct {
    const char *word;
    enum op op[MOST_OPS];
} words[] = {
    {"Add", {OP_add, OP_sum}},
    {"AvgPool", {OP_average_pool, OP_global_average_pool}},
    {"AveragePool", {OP_average_pool, OP_global_average_pool}},
    {"BatchedAdd", {OP_add}},
    {"BatchedReduceAdd", {OP_reduce_sum}},
    {"BatchedReduceMean", {OP_reduce_mean}},
    {"BatchMatMul", {OP_matmul}},
    {"ChannelwiseQuantizedConvolution", {OP_conv}},
    {"CmpEQ", {OP_equal}},
    {"CmpLT", {OP_less}},
    {"Convolution", {OP_conv}},
    {"FC", {OP_gemm, OP_matmul}},
    {"FullyConnected", {OP_gemm, OP_matmul}},
    {"InsertTensor", {OP_concat}},
    {"LocalResponseNormalization", {OP_lrn}},
    {"RowwiseQuantizedFullyConnected", {OP_gemm, OP_matmul}},
    {"Select", {OP_where}},
};

/* Letters and digits are compared, in any case: soft_max is SoftMax.  Without any, it is no word.
 */
static bool same_word(const char *a, const char *b)
{
    for (bool any = false;; a++, b++, any = true) {
        while (*a == '_' || *a == '-')
            a++;
        while (*b == '_' || *b == '-')
            b++;
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
        if (!*a)
            return any;
    }
}

bool node_set_add_kind(struct node_set *s, const char *word)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!same_word(words[i].word, word))
            continue;
        for (size_t k = 0; k < MOST_OPS && words[i].op[k] != OP_NONE; k++)
            s->op[words[i].op[k]] = true;
        return true;
    }
    bool found = false;
    for (int op = OP_NONE + 1; op < OP_COUNT; op++) {
        const struct op_desc *d = op_desc((enum op)op);
        if (!same_word(d->id, word) && !same_word(d->onnx, word) && !same_word(d->caffe2, word))
            continue;
        s->op[op] = true;
        found = true;
    }
    return found;
}

const char *node_set_kind(size_t i)
{
    size_t n = sizeof words / sizeof *words;
    if (i < n)
        return words[i].word;
    i = i - n + 1;
    if (i >= OP_COUNT)
        return NULL;
    const struct op_desc *d = op_desc((enum op)i);
    return *d->onnx ? d->onnx : d->id;
}

bool node_is_named(const struct node *n, const char *name)
{
    if (n->name && strcmp(name, n->name) == 0)
        return true;
    for (size_t i = 0; i < n->n_out; i++)
        if (n->out[i] && strcmp(name, n->out[i]->name) == 0)
            return true;
    return false;
}

bool node_set_has(const struct node_set *s, const struct node *n)
{
    if (s->op[n->op])
        return true;
    for (size_t i = 0; i < s->n_names; i++)
        if (node_is_named(n, s->name[i]))
            return true;
    return false;
}
