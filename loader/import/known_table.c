#include "loader/import/known_internal.h"

struct known_table *known_table(struct importer *im)
{
    if (!im->known)
        im->known = arena_new(im->arena, struct known_table);
    return im->known;
}

struct known_memo *known_memo_of(struct importer *im, const struct value *v)
{
    struct known_table *t = known_table(im);
    while (t->n_memo <= v->id)
        ARENA_PUSH(im->arena, t->memo, t->n_memo, t->cap_memo) = NULL;
    if (!t->memo[v->id]) {
        struct known_memo *memo = arena_new(im->arena, struct known_memo);
        size_t elems = (size_t)shape_elems(&v->shape);
        memo->element = arena_array(im->arena, elems, sizeof *memo->element);
        t->memo[v->id] = memo;
        ARENA_PUSH(im->arena, t->seen, t->n_seen, t->cap_seen) = v->id;
    }
    return t->memo[v->id];
}

struct known_mark known_enter(struct importer *im)
{
    const struct known_table *t = known_table(im);
    return (struct known_mark){{t->n_seen, t->n_scalars, t->n_sums, t->n_counts}};
}

void known_leave(struct importer *im, struct known_mark mark)
{
    struct known_table *t = known_table(im);
    while (t->n_seen > mark.n[0])
        t->memo[t->seen[--t->n_seen]] = NULL;
    t->n_scalars = mark.n[1];
    t->n_sums = mark.n[2];
    t->n_counts = mark.n[3];
}
