/*
 * program_text.c: the text form of programs, for -dump-kernels and tests: buffers with their plan,
 * then the tree of steps.  Kernels are named only; kernel_print shows them.
 *
 *     program "net": constants 64, mutable 128, activations 256 of at least 256 bytes
 *     b0 "x" f32[1,4] plain mutable input @0 16 bytes
 *     b3 "y" f32[n:b2] plain activation @64 40 bytes view of b1
 *     s0 "conv+relu" (b0, b1 -> b2)
 *     s1 "sort" (b2 -> b3) on the host, fetches b2, brings b3
 *     s2 "loop" loop trip b4 while b5 index b6 {
 *     s3     "add" (b0 -> b1)
 *     }
 */
#include <inttypes.h>

#include "ir/program.h"

static const char *const area_name[AREA_COUNT] = {"constant", "mutable", "activation"};

static const char *role_name(enum sheaf_role role)
{
    switch (role) {
    case SHEAF_ROLE_INPUT:
        return " input";
    case SHEAF_ROLE_OUTPUT:
        return " output";
    case SHEAF_ROLE_STATE:
        return " state";
    default:
        return "";
    }
}

static void print_buf(const struct program *p, size_t i, struct strbuf *out)
{
    const struct pbuf *b = &p->bufs[i];
    strbuf_printf(out, "b%zu \"%s\" %s[", i, b->name, dtype_name(b->dtype));
    for (int d = 0; d < b->rank; d++) {
        strbuf_printf(out, "%s%" PRId64, d ? "," : "", b->dims[d]);
        if (b->extent_buf[d] >= 0)
            strbuf_printf(out, ":b%d", b->extent_buf[d]);
    }
    strbuf_printf(out, "] %s %s%s @%" PRId64 " %" PRId64 " bytes",
                  layout_print(&b->layout, out->arena), area_name[b->area],
                  b->area == AREA_MUTABLE || program_is_overlaid(b) ? role_name(b->role) : "",
                  b->offset, b->bytes);
    if (b->quant.scale != 0)
        strbuf_printf(out, " scale %.9g zero %" PRId32, (double)b->quant.scale,
                      b->quant.zero_point);
    if (b->view_of >= 0)
        strbuf_printf(out, " view of b%d", b->view_of);
    if (p->host_bytes && b->host_offset >= 0)
        strbuf_printf(out, " on the host @%" PRId64, b->host_offset);
    strbuf_add(out, "\n");
}

static void print_copies(const char *what, const int *bufs, size_t n, struct strbuf *out)
{
    for (size_t i = 0; i < n; i++)
        strbuf_printf(out, "%s b%d", i ? "," : what, bufs[i]);
}

static void print_args(const struct step *s, struct strbuf *out)
{
    static const char *const lead[] = {"", " -> ", "; "};
    strbuf_add(out, "(");
    for (int group = 0; group < 3; group++) {
        const char *sep = lead[group];
        for (size_t i = 0; i < s->kernel->n_bufs; i++) {
            enum kbuf_role role = s->kernel->bufs[i].role;
            int of = role == KBUF_IN ? 0 : role == KBUF_LOCAL ? 2 : 1;
            if (of != group)
                continue;
            strbuf_printf(out, "%s%sb%d", sep, role == KBUF_INOUT ? "&" : "", s->args[i]);
            sep = ", ";
        }
    }
    strbuf_add(out, s->on_host ? ") on the host" : ")");
    print_copies(", fetches", s->fetched, s->n_fetched, out);
    print_copies(", brings", s->brought, s->n_brought, out);
    strbuf_add(out, "\n");
}

static void print_steps(const struct steps *steps, int depth, struct strbuf *out)
{
    for (size_t i = 0; i < steps->n; i++) {
        const struct step *s = steps->step[i];
        strbuf_printf(out, "s%" PRIu32 " %*s\"%s\" ", s->id, 4 * depth, "", s->name);
        if (s->kind == STEP_CALL) {
            print_args(s, out);
            continue;
        }
        if (s->kind == STEP_IF) {
            strbuf_printf(out, "if b%d {\n", s->cond);
        } else {
            strbuf_add(out, "loop");
            if (s->trip >= 0)
                strbuf_printf(out, " trip b%d", s->trip);
            if (s->cond >= 0)
                strbuf_printf(out, " while b%d", s->cond);
            strbuf_printf(out, " index b%d {\n", s->index);
        }
        print_steps(&s->bodies[0], depth + 1, out);
        if (s->kind == STEP_IF && s->bodies[1].n) {
            strbuf_printf(out, "%*s} else {\n", 4 * depth, "");
            print_steps(&s->bodies[1], depth + 1, out);
        }
        strbuf_printf(out, "%*s}\n", 4 * depth, "");
    }
}

void program_print(const struct program *p, struct strbuf *out)
{
    strbuf_printf(out,
                  "program \"%s\": constants %" PRId64 ", mutable %" PRId64 ", activations %" PRId64
                  " of at least %" PRId64 " bytes\n",
                  p->name, p->area_bytes[AREA_CONSTANT], p->area_bytes[AREA_MUTABLE],
                  p->area_bytes[AREA_ACTIVATION], p->peak_live_bytes);
    for (size_t i = 0; i < p->n_bufs; i++)
        print_buf(p, i, out);
    print_steps(&p->body, 0, out);
}
