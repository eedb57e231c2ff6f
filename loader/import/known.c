#include "loader/import/known.h"

#include <math.h>

#include "ir/checked.h"

/* ---- order of atoms and terms ---- */

static int compare_atoms(const struct known_atom *a, const struct known_atom *b)
{
    if (a->of != b->of)
        return a->of->id < b->of->id ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

static int compare_terms(const struct known_term *a, const struct known_term *b)
{
    for (int i = 0; i < a->n && i < b->n; i++) {
        int c = compare_atoms(&a->atom[i], &b->atom[i]);
        if (c)
            return c;
    }
    return a->n - b->n;
}

/* *k gets one more term. */
static bool add_term(struct known *k, const struct known_term *t)
{
    int at = 0, c = 1;
    while (at < k->n && (c = compare_terms(&k->term[at], t)) < 0)
        at++;
    if (at < k->n && c == 0) {
        if (!checked_add(k->term[at].factor, t->factor, &k->term[at].factor))
            return false;
        if (k->term[at].factor)
            return true;
        for (k->n--; at < k->n; at++)
            k->term[at] = k->term[at + 1];
        return true;
    }
    if (!t->factor)
        return true;
    if (k->n == KNOWN_TERMS)
        return false;
    for (int i = k->n++; i > at; i--)
        k->term[i] = k->term[i - 1];
    k->term[at] = *t;
    return true;
}

static bool mul_terms(const struct known_term *a, const struct known_term *b,
                      struct known_term *out)
{
    struct known_term t = {.n = 0};
    if (!checked_mul(a->factor, b->factor, &t.factor) || a->n + b->n > KNOWN_ATOMS)
        return false;
    for (int i = 0, j = 0; i < a->n || j < b->n;) {
        bool first = j == b->n || (i < a->n && compare_atoms(&a->atom[i], &b->atom[j]) <= 0);
        t.atom[t.n++] = first ? a->atom[i++] : b->atom[j++];
    }
    *out = t;
    return true;
}

static bool div_terms(const struct known_term *a, const struct known_term *b,
                      struct known_term *out)
{
    struct known_term t = {.n = 0};
    if (!b->factor || a->factor % b->factor)
        return false;
    t.factor = a->factor / b->factor;
    int j = 0;
    for (int i = 0; i < a->n; i++) {
        if (j < b->n && !compare_atoms(&a->atom[i], &b->atom[j]))
            j++;
        else
            t.atom[t.n++] = a->atom[i];
    }
    *out = t;
    return j == b->n;
}

/* ---- arithmetic ---- */

struct known known_number(int64_t v)
{
    struct known k = {.n = v != 0};
    k.term[0].factor = v;
    return k;
}

struct known known_atom(struct known_atom atom)
{
    struct known k = {.n = 1};
    k.term[0].factor = 1;
    k.term[0].n = 1;
    k.term[0].atom[0] = atom;
    return k;
}

bool known_add(const struct known *a, const struct known *b, int64_t times_b, struct known *out)
{
    struct known sum = *a;
    for (int i = 0; i < b->n; i++) {
        struct known_term t = b->term[i];
        if (!checked_mul(t.factor, times_b, &t.factor) || !add_term(&sum, &t))
            return false;
    }
    *out = sum;
    return true;
}

bool known_mul(const struct known *a, const struct known *b, struct known *out)
{
    struct known product = {.n = 0};
    for (int i = 0; i < a->n; i++)
        for (int j = 0; j < b->n; j++) {
            struct known_term t;
            if (!mul_terms(&a->term[i], &b->term[j], &t) || !add_term(&product, &t))
                return false;
        }
    *out = product;
    return true;
}

bool known_div(const struct known *a, const struct known *b, struct known *out)
{
    struct known quotient = {.n = 0};
    if (b->n != 1)
        return false;
    for (int i = 0; i < a->n; i++) {
        struct known_term t;
        if (!div_terms(&a->term[i], &b->term[0], &t) || !add_term(&quotient, &t))
            return false;
    }
    *out = quotient;
    return true;
}

/* ---- questions ---- */

bool known_is_number(const struct known *k, int64_t *out)
{
    if (k->n > 1 || (k->n && k->term[0].n))
        return false;
    *out = k->n ? k->term[0].factor : 0;
    return true;
}

bool known_equal(const struct known *a, const struct known *b)
{
    if (a->n != b->n)
        return false;
    for (int i = 0; i < a->n; i++)
        if (a->term[i].factor != b->term[i].factor || compare_terms(&a->term[i], &b->term[i]))
            return false;
    return true;
}

/* 0 times what is not bounded is 0. */
static double times(double a, double b)
{
    return a == 0 || b == 0 ? 0 : a * b;
}

void known_range(const struct known *k, double *low, double *high)
{
    *low = *high = 0;
    for (int i = 0; i < k->n; i++) {
        double from = (double)k->term[i].factor, to = from;
        for (int j = 0; j < k->term[i].n; j++) {
            const struct known_atom *a = &k->term[i].atom[j];
            double p[4] = {times(from, a->low), times(from, a->high), times(to, a->low),
                           times(to, a->high)};
            from = fmin(fmin(p[0], p[1]), fmin(p[2], p[3]));
            to = fmax(fmax(p[0], p[1]), fmax(p[2], p[3]));
        }
        *low += from;
        *high += to;
    }
}

double known_low(const struct known *k)
{
    double low, high;
    known_range(k, &low, &high);
    return low;
}

double known_high(const struct known *k)
{
    double low, high;
    known_range(k, &low, &high);
    return high;
}

bool known_is_whole(const struct known *k)
{
    for (int i = 0; i < k->n; i++)
        for (int j = 0; j < k->term[i].n; j++)
            if (!k->term[i].atom[j].whole)
                return false;
    return true;
}

bool known_is_assumed(const struct known *k)
{
    for (int i = 0; i < k->n; i++)
        for (int j = 0; j < k->term[i].n; j++)
            if (k->term[i].atom[j].assumed)
                return true;
    return false;
}

void known_take_over(struct known *k, const struct known *a)
{
    bool assumed = known_is_assumed(a);
    for (int i = 0; assumed && i < k->n; i++)
        for (int j = 0; j < k->term[i].n; j++)
            k->term[i].atom[j].assumed = true;
}
