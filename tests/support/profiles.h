/*
 * profiles.h: profiles in tests, made of values in the arena of fixture.h and compared.
 */
#ifndef SHEAF_TESTS_PROFILES_H
#define SHEAF_TESTS_PROFILES_H

#include "ir/quantize/profile.h"
#include "tests/support/fixture.h"

/* Appends a tensor that held these n values. */
static inline void profile_add(struct profile *p, const char *name, const float *x, size_t n)
{
    struct histogram *h = arena_new(&arena, struct histogram);
    histogram_init(h);
    assert_int_equal(histogram_add(h, x, n), n);
    ARENA_PUSH(&arena, p->tensor, p->n, p->cap) = (struct profile_tensor){name, h};
}

static inline void profile_assert_same(const struct profile *a, const struct profile *b)
{
    assert_string_equal(a->model, b->model);
    assert_string_equal(a->processor, b->processor);
    assert_true(a->identity.operators == b->identity.operators);
    assert_true(a->identity.weights == b->identity.weights);
    assert_true(a->samples == b->samples && a->from_glow == b->from_glow);
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        const struct histogram *x = a->tensor[i].histogram, *y = b->tensor[i].histogram;
        assert_string_equal(a->tensor[i].name, b->tensor[i].name);
        assert_true(x->count == y->count && x->min == y->min && x->max == y->max);
        assert_int_equal(x->exponent, y->exponent);
        assert_memory_equal(x->bin, y->bin, sizeof x->bin);
    }
}

#endif
