#include "loader/import/wire.h"

#include <string.h>

#include "loader/import/text_form.h"

void wire_init(struct wire *w, const uint8_t *data, size_t size)
{
    w->at = data;
    w->end = data + size;
    w->fault = NULL;
}

bool wire_varint(struct wire *w, uint64_t *out_value)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (w->at == w->end) {
            w->fault = "it ends inside a number";
            return false;
        }
        uint8_t byte = *w->at++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *out_value = v;
            return true;
        }
    }
    w->fault = "a number has more than ten bytes";
    return false;
}

static bool wire_fixed(struct wire *w, size_t size, uint64_t *out_value)
{
    if ((size_t)(w->end - w->at) < size) {
        w->fault = "it ends inside a number";
        return false;
    }
    uint64_t v = 0;
    for (size_t i = 0; i < size; i++)
        v |= (uint64_t)w->at[i] << (8 * i);
    w->at += size;
    *out_value = v;
    return true;
}

bool wire_next(struct wire *w, struct wire_field *out_field)
{
    if (w->fault || w->at == w->end)
        return false;
    struct wire_field f = {0};
    uint64_t tag, size;
    if (!wire_varint(w, &tag))
        return false;
    if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff) {
        w->fault = "a field has an impossible number";
        return false;
    }
    f.number = (uint32_t)(tag >> 3);
    f.type = (enum wire_type)(tag & 7);
    switch (f.type) {
    case WIRE_VARINT:
        if (!wire_varint(w, &f.value))
            return false;
        break;
    case WIRE_FIXED64:
        if (!wire_fixed(w, 8, &f.value))
            return false;
        break;
    case WIRE_FIXED32:
        if (!wire_fixed(w, 4, &f.value))
            return false;
        break;
    case WIRE_BYTES:
        if (!wire_varint(w, &size))
            return false;
        if (size > (uint64_t)(w->end - w->at)) {
            w->fault = "a length reaches past the end";
            return false;
        }
        f.data = w->at;
        f.size = (size_t)size;
        w->at += size;
        break;
    default:
        w->fault = "a field is of no known kind";
        return false;
    }
    *out_field = f;
    return true;
}

/* ---- the check before unpacking ---- */

struct check {
    const uint8_t *start;
    size_t n_messages;
    const char *fault;
    size_t fault_at; /* bytes from the start of the file */
};

static bool check_fault(struct check *c, const uint8_t *at, const char *fault)
{
    c->fault = fault;
    c->fault_at = (size_t)(at - c->start);
    return false;
}

/* The wire type of a field that is not packed. */
static enum wire_type wire_type_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return WIRE_FIXED32;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return WIRE_FIXED64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_BYTES;
    default:
        return WIRE_VARINT;
    }
}

static bool check_packed(struct check *c, const struct wire_field *f, enum wire_type element)
{
    struct wire w;
    uint64_t ignored;
    wire_init(&w, f->data, f->size);
    if (element == WIRE_FIXED32 && f->size % 4)
        return check_fault(c, f->data, "a list of numbers ends inside a number");
    if (element == WIRE_FIXED64 && f->size % 8)
        return check_fault(c, f->data, "a list of numbers ends inside a number");
    while (element == WIRE_VARINT && w.at != w.end)
        if (!wire_varint(&w, &ignored))
            return check_fault(c, f->data, "a list of numbers ends inside a number");
    return true;
}

static bool check_message(struct check *c, const ProtobufCMessageDescriptor *desc,
                          const uint8_t *data, size_t size, int depth);

static bool check_field(struct check *c, const ProtobufCFieldDescriptor *d,
                        const struct wire_field *f, const uint8_t *at, int depth)
{
    enum wire_type want = wire_type_of(d->type);
    if (want != WIRE_BYTES && f->type == WIRE_BYTES && d->label == PROTOBUF_C_LABEL_REPEATED)
        return check_packed(c, f, want);
    if (f->type != want)
        return check_fault(c, at, "a field is of the wrong kind");
    if (d->type == PROTOBUF_C_TYPE_STRING && memchr(f->data, 0, f->size))
        return check_fault(c, at, "a name contains a zero byte");
    if (d->type == PROTOBUF_C_TYPE_MESSAGE)
        return check_message(c, d->descriptor, f->data, f->size, depth + 1);
    return true;
}

static bool check_message(struct check *c, const ProtobufCMessageDescriptor *desc,
                          const uint8_t *data, size_t size, int depth)
{
    if (depth > WIRE_MAX_DEPTH)
        return check_fault(c, data, "messages are nested too deeply");
    if (++c->n_messages > WIRE_MAX_MESSAGES)
        return check_fault(c, data, "it has too many messages");
    struct wire w;
    struct wire_field f;
    size_t n_fields = 0;
    uint64_t seen = 0; /* one bit per singular message field, which may come once */
    wire_init(&w, data, size);
    for (;;) {
        const uint8_t *at = w.at;
        if (!wire_next(&w, &f))
            break;
        if (++n_fields > WIRE_MAX_FIELDS)
            return check_fault(c, at, "a message has too many fields");
        const ProtobufCFieldDescriptor *d = protobuf_c_message_descriptor_get_field(desc, f.number);
        if (!d)
            continue;
        if (d->type == PROTOBUF_C_TYPE_MESSAGE && d->label != PROTOBUF_C_LABEL_REPEATED) {
            /* The unpacker would merge the two, which no writer means. */
            uint64_t bit = (uint64_t)1 << (d - desc->fields) % 64;
            if (seen & bit)
                return check_fault(c, at, "a part that may come once comes twice");
            seen |= bit;
        }
        if (!check_field(c, d, &f, at, depth))
            return false;
    }
    if (w.fault)
        return check_fault(c, w.at, w.fault);
    return true;
}

/* ---- unpacking ---- */

static void *unpack_alloc(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void unpack_free(void *arena, void *p)
{
    (void)arena;
    (void)p;
}

/* Binary files of both kinds begin with a field that holds a control character. */
static bool looks_like_text(const uint8_t *data, size_t size)
{
    bool punctuation = false;
    for (size_t i = 0; i < size && i < 512; i++) {
        if (data[i] < 0x20 && !strchr("\t\n\r", data[i]))
            return false;
        if (data[i] == 0)
            return false;
        punctuation |= data[i] == ':' || data[i] == '{';
    }
    return punctuation;
}

/* The file in wire format, which is checked whatever it was made of. */
static ProtobufCMessage *unpack(struct arena *a, const struct wire_kind *kind, const char *path,
                                const uint8_t *data, size_t size, struct error *err)
{
    struct check c = {.start = data};
    if (!check_message(&c, kind->message, data, size, 0)) {
        error_set(err, SHEAF_ERROR_FORMAT, "%s: this is not %s, or it is damaged: %s, at byte %zu",
                  path, kind->what, c.fault, c.fault_at);
        return NULL;
    }
    ProtobufCAllocator allocator = {unpack_alloc, unpack_free, a};
    ProtobufCMessage *m = protobuf_c_message_unpack(kind->message, &allocator, size, data);
    if (!m)
        error_set(err, SHEAF_ERROR_FORMAT, "%s: this is not %s, or it is damaged", path,
                  kind->what);
    return m;
}

ProtobufCMessage *wire_unpack(struct arena *a, const struct wire_kind *kind, const char *path,
                              const uint8_t *data, size_t size, struct error *err)
{
    if (!looks_like_text(data, size))
        return unpack(a, kind, path, data, size, err);
    struct strbuf bytes;
    struct text_fault fault;
    strbuf_init(&bytes, a);
    if (!text_form_to_wire(kind->message, kind->unread, a, (const char *)data, size, &bytes,
                           &fault)) {
        error_set(err, SHEAF_ERROR_FORMAT,
                  "%s: this is not %s in protobuf's text form, or it is damaged: %s, in line %zu",
                  path, kind->what, fault.what, fault.line);
        return NULL;
    }
    return unpack(a, kind, path, (const uint8_t *)strbuf_text(&bytes), bytes.len, err);
}
