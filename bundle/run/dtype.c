/* Sizes of elements. */
#include "bundle/run/run.h"

size_t rt_dtype_bits(enum sheaf_dtype t)
{
    switch (t) {
    case SHEAF_UINT4:
    case SHEAF_INT4:
        return 4;
    case SHEAF_UINT8:
    case SHEAF_INT8:
    case SHEAF_BOOL:
        return 8;
    case SHEAF_UINT16:
    case SHEAF_INT16:
    case SHEAF_FLOAT16:
    case SHEAF_BFLOAT16:
        return 16;
    case SHEAF_FLOAT32:
    case SHEAF_INT32:
    case SHEAF_UINT32:
        return 32;
    case SHEAF_FLOAT64:
    case SHEAF_INT64:
    case SHEAF_UINT64:
        return 64;
    }
    return 0;
}
