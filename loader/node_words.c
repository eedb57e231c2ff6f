#include "loader/node_words.h"

#include "loader/spelling.h"

struct node_search {
    const char *name;
    bool found;
    struct spelling *spelling;
};

static void search_nodes(struct graph *g, struct block *b, void *arg)
{
    (void)g;
    struct node_search *s = arg;
    for (size_t i = 0; i < b->n_nodes; i++) {
        const struct node *n = b->nodes[i];
        s->found |= node_is_named(n, s->name);
        spelling_try(s->spelling, n->name);
        for (size_t k = 0; k < n->n_out; k++)
            if (n->out[k])
                spelling_try(s->spelling, n->out[k]->name);
    }
}

const bool *node_words_imported(struct graph *imported, const struct option_texts *words)
{
    bool *found = arena_array(imported->arena, words->n, sizeof *found);
    for (size_t i = 0; i < words->n; i++) {
        struct spelling ignored = spelling_of(words->item[i]);
        struct node_search s = {.name = words->item[i], .spelling = &ignored};
        graph_each_block(imported, search_nodes, &s);
        found[i] = s.found;
    }
    return found;
}

static bool find_word(const struct node_words *w, size_t i, struct graph *g, const char **names,
                      struct node_set *set, struct error *err)
{
    const char *word = w->words->item[i];
    if (node_set_add_kind(set, word))
        return true;
    struct spelling spelling = spelling_of(word);
    struct node_search s = {.name = word, .spelling = &spelling};
    for (size_t k = 0; node_set_kind(k); k++)
        spelling_try(&spelling, node_set_kind(k));
    graph_each_block(g, search_nodes, &s);
    if (s.found) {
        names[set->n_names++] = word;
        return true;
    }
    if (w->imported[i])
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "%s: '%s' of '%s' is no node by itself %s: it does nothing or has become "
                         "part of another one, which is to be named",
                         w->option, word, w->model, w->when);
    if (spelling.nearest)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "%s: '%s' is no kind of operator and no node of '%s' or its result; did "
                         "you mean '%s'?",
                         w->option, word, w->model, spelling.nearest);
    return error_set(err, SHEAF_ERROR_ARGUMENT,
                     "%s: '%s' is no kind of operator and no node of '%s' or its result", w->option,
                     word, w->model);
}

bool node_words_find(const struct node_words *w, struct graph *g, const char **names,
                     struct node_set *out_set, struct error *err)
{
    struct node_set set = {.name = names};
    for (size_t i = 0; i < w->words->n; i++)
        if (!find_word(w, i, g, names, &set, err))
            return false;
    *out_set = set;
    return true;
}
