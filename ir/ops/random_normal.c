/*
 * RandomNormal-22: mean + scale * z.  Two uniform numbers give two normal ones (Box and Muller: A
 * note on the generation of random normal deviates; 1958): with r = sqrt(-2 log(1 - u)) and
 * a = 2 pi v these are r cos(a) and r sin(a).  With 24 bits in u, |z| is at most 5.8; with the 53
 * of f64 8.6.
 */
#include "ir/ops/random.h"

bool random_normal_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct random_normal_attrs *a = n->attrs;
    return random_infer(n, a->dtype, a->shape, err);
}

static kval scaled(struct kernel *k, const struct random_normal_attrs *a, enum dtype type, kval z)
{
    z = kernel_binary(k, KOP_MUL, z, kernel_const_float(k, type, (double)a->scale));
    return kernel_binary(k, KOP_ADD, kernel_const_float(k, type, (double)a->mean), z);
}

static void draw_normal(struct lower *l, enum dtype type, const kval *word, kval *out)
{
    struct kernel *k = l->kernel;
    const struct random_normal_attrs *a = l->node->attrs;
    const double two_pi = 6.283185307179586476925;
    int words = random_words_each(type);
    for (int i = 0; i < random_elements(type); i += 2) {
        kval u = random_unit(k, type, &word[i * words]);
        kval v = random_unit(k, type, &word[(i + 1) * words]);
        kval rest = kernel_binary(k, KOP_SUB, kernel_const_float(k, type, 1), u);
        kval square =
            kernel_binary(k, KOP_MUL, kernel_const_float(k, type, -2), kernel_log(k, rest));
        kval r = kernel_unary(k, KOP_SQRT, square);
        kval angle = kernel_binary(k, KOP_MUL, v, kernel_const_float(k, type, two_pi));
        out[i] = scaled(k, a, type, kernel_binary(k, KOP_MUL, r, kernel_cos(k, angle)));
        out[i + 1] = scaled(k, a, type, kernel_binary(k, KOP_MUL, r, kernel_sin(k, angle)));
    }
}

void random_normal_lower(struct lower *l)
{
    random_lower(l, ((const struct random_normal_attrs *)l->node->attrs)->seed, draw_normal);
}
