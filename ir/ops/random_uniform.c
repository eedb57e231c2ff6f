/* RandomUniform-22: low + u * (high - low), u in [0, 1). */
#include "ir/ops/random.h"

bool random_uniform_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct random_uniform_attrs *a = n->attrs;
    return random_infer(n, a->dtype, a->shape, err);
}

static void draw_uniform(struct lower *l, enum dtype type, const kval *word, kval *out)
{
    struct kernel *k = l->kernel;
    const struct random_uniform_attrs *a = l->node->attrs;
    double range =
        type == DTYPE_F64 ? (double)a->high - (double)a->low : (double)(a->high - a->low);
    for (int i = 0; i < random_elements(type); i++) {
        kval u = random_unit(k, type, &word[i * random_words_each(type)]);
        u = kernel_binary(k, KOP_MUL, u, kernel_const_float(k, type, range));
        out[i] = kernel_binary(k, KOP_ADD, kernel_const_float(k, type, (double)a->low), u);
    }
}

void random_uniform_lower(struct lower *l)
{
    random_lower(l, ((const struct random_uniform_attrs *)l->node->attrs)->seed, draw_uniform);
}
