/*
 * interface.h: how the client sees a network where it differs from how the model has it; what the
 * passes of the stage PASSES_INTERFACE are told.
 */
#ifndef SHEAF_IR_PASSES_INTERFACE_H
#define SHEAF_IR_PASSES_INTERFACE_H

#include "ir/graph.h"

enum { PIXEL_VALUES = 256, PIXEL_MAX_CHANNELS = 3 };

/* An input that the client fills with the bytes of pictures: rows of pixels, the channels of a
   pixel side by side (HWC), in the order red, green, blue. */
struct interface_pixels {
    const char *input;
    int channels;       /* 1 or 3 */
    bool channels_last; /* the model's input is NHWC, else NCHW */
    bool bgr;           /* the model's order */
    /* In the model's order: a byte p stands for p * scale + shift. */
    double scale[PIXEL_MAX_CHANNELS], shift[PIXEL_MAX_CHANNELS];
    const struct tensor *value; /* [channels,256] of the input's type: the same as stored */
};

/* Type and order of dimensions of an input or output. */
enum interface_order { INTERFACE_AS_IS, INTERFACE_CHANNELS_LAST, INTERFACE_CHANNELS_FIRST };
struct interface_change {
    const char *name;
    bool is_output;
    enum dtype dtype;           /* DTYPE_NONE: as it is */
    bool quantized;             /* the type holds steps of a scale */
    struct quant quant;         /* scale 0: that of the network */
    enum interface_order order; /* what the client has; the model has the other one */
};

/* Output `out` of a call is input `in` of the next one. */
struct interface_binding {
    const char *out, *in;
};

struct interface {
    const struct interface_pixels *pixels; /* NULL: none */
    const struct interface_change *changes;
    size_t n_changes;
    const struct interface_binding *bindings;
    size_t n_bindings;
};

#endif
