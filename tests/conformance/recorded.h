/*
 * recorded.h: tensors that were recorded with a model.
 */
#ifndef SHEAF_TESTS_CONFORMANCE_RECORDED_H
#define SHEAF_TESTS_CONFORMANCE_RECORDED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ir/tensor.h"
#include "loader/import/tensor_pb.h"
#include "tests/support/support.h"

static inline const struct tensor *recorded_read(struct arena *a, const char *path)
{
    size_t size;
    char *data = support_read_file(path, &size);
    assert_non_null(data);
    const struct tensor *t;
    struct error err;
    error_init(&err);
    if (!tensor_pb_parse(a, path, (const uint8_t *)data, size, &t, &err))
        fail_msg("%s", err.text);
    free(data);
    return t;
}

#endif
